// Phonemes, edit distances and sentences against Python written from the definitions (tests/fixtures/scores.py).
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "brainquant/scoring/error_rate.h"
#include "scoring/phonemes.h"

namespace brainquant {
namespace {

std::ifstream fixture(const std::string& name) {
  std::ifstream file(std::string(BRAINQUANT_FIXTURES) + "/scores/" + name, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  return file;
}

std::vector<std::string> parts_of(const std::string& line) {
  std::vector<std::string> parts(1);
  for (const char c : line) {
    if (c == ';')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::vector<int> numbers(const std::string& text) {
  std::istringstream in(text);
  std::vector<int> values;
  for (int value; in >> value;) values.push_back(value);
  return values;
}

std::string stripped(const std::string& text) {
  const std::size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

TEST(EditCounts, AgreesWithPython) {
  std::ifstream file = fixture("edits.txt");
  std::size_t cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const std::vector<std::string> parts = parts_of(line);
    const std::vector<int> expected = numbers(parts.at(2));
    const EditCounts counts = edit_counts(numbers(parts[0]), numbers(parts[1]));
    EXPECT_EQ(counts.distance(), expected.at(0)) << line;
    EXPECT_EQ(counts.substitutions, expected.at(1)) << line;
    EXPECT_EQ(counts.deletions, expected.at(2)) << line;
    EXPECT_EQ(counts.insertions, expected.at(3)) << line;
  }
  EXPECT_GT(cases, 300U);
}

TEST(AlignWords, HandWorkedAndAsManyEditsAsCounted) {
  const auto text = [](const std::string& truth, const std::string& prediction) {
    std::string columns;
    for (const AlignedWords& column : align_words(words_of(truth), words_of(prediction))) {
      columns += column.truth + "=" + column.prediction + " ";
    }
    return columns;
  };
  EXPECT_EQ(text("i need water", "i knead the water"), "i=i =knead need=the water=water ");
  EXPECT_EQ(text("a b c d", "b c x d e"), "a= b=b c=c =x d=d =e ");
  EXPECT_EQ(text("", "uh"), "=uh ");
  EXPECT_EQ(text("yes", ""), "yes= ");
  EXPECT_EQ(text("", ""), "");
  std::ifstream file = fixture("edits.txt");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> parts = parts_of(line);
    const auto words = [](const std::string& numbers_text) {
      std::vector<std::string> result;
      for (const int n : numbers(numbers_text)) result.push_back("w" + std::to_string(n));
      return result;
    };
    EditCounts counts;
    std::vector<std::string> truth, prediction;
    for (const AlignedWords& column : align_words(words(parts[0]), words(parts[1]))) {
      if (!column.truth.empty()) truth.push_back(column.truth);
      if (!column.prediction.empty()) prediction.push_back(column.prediction);
      if (column.truth.empty()) {
        ++counts.insertions;
      } else if (column.prediction.empty()) {
        ++counts.deletions;
      } else if (column.truth != column.prediction) {
        ++counts.substitutions;
      }
    }
    const std::vector<int> expected = numbers(parts.at(2));
    EXPECT_EQ(truth, words(parts[0]));
    EXPECT_EQ(prediction, words(parts[1]));
    EXPECT_EQ(counts.substitutions, expected.at(1)) << line;
    EXPECT_EQ(counts.deletions, expected.at(2)) << line;
    EXPECT_EQ(counts.insertions, expected.at(3)) << line;
  }
}

TEST(EditCounts, HandWorked) {
  // kitten -> sitting: two substitutions and one letter more.
  const std::vector<int> kitten{'k', 'i', 't', 't', 'e', 'n'};
  const std::vector<int> sitting{'s', 'i', 't', 't', 'i', 'n', 'g'};
  const EditCounts counts = edit_counts(kitten, sitting);
  EXPECT_EQ(counts.substitutions, 2);
  EXPECT_EQ(counts.deletions, 0);
  EXPECT_EQ(counts.insertions, 1);
  const EditCounts back = edit_counts(sitting, kitten);
  EXPECT_EQ(back.deletions, 1);
  EXPECT_EQ(back.insertions, 0);
  EXPECT_EQ(edit_counts(std::vector<int>{}, std::vector<int>{}).distance(), 0);
  EXPECT_EQ(edit_counts(std::vector<int>{}, kitten).insertions, 6);
  EXPECT_EQ(edit_counts(kitten, std::vector<int>{}).deletions, 6);
}

TEST(EditCounts, Words) {
  const EditCounts counts = edit_counts(words_of("i did not earn my degree"), words_of("i earn a my my degrees"));
  // Word for word four are replaced; keeping `earn` instead costs two deletions, two insertions and one replacement.
  EXPECT_EQ(counts.distance(), 4);
  EXPECT_EQ(counts.substitutions, 4);
  EXPECT_EQ(counts.deletions, 0);
  EXPECT_EQ(counts.insertions, 0);
  EXPECT_EQ(edit_counts(words_of("a b c"), words_of("a c")).deletions, 1);
}

TEST(ErrorRate, SumsBeforeDividing) {
  ErrorRate rate;
  EXPECT_EQ(rate.rate(), 0.0);
  rate.add(1, 2);
  rate.add(1, 8);
  EXPECT_DOUBLE_EQ(rate.rate(), 20.0);  // the mean of the two rates would be 31.25
}

TEST(Phonemes, CollapseAgreesWithPython) {
  std::ifstream file = fixture("collapse.txt");
  std::size_t cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const std::vector<std::string> parts = parts_of(line);
    const std::vector<int> classes = numbers(parts.at(0));
    EXPECT_EQ(collapse_published(classes), numbers(parts.at(1))) << line;
    EXPECT_EQ(collapse_ctc(classes), numbers(parts.at(2))) << line;
    EXPECT_EQ(phoneme_text(collapse_published(classes)), stripped(parts.at(3))) << line;
  }
  EXPECT_EQ(cases, 300U);
}

TEST(Phonemes, TheTwoOrdersDiffer) {
  const std::vector<int> classes{7, 7, 0, 7, 40, 0, 0, 40, 3};
  EXPECT_EQ(collapse_published(classes), (std::vector<int>{7, 40, 3}));
  EXPECT_EQ(collapse_ctc(classes), (std::vector<int>{7, 7, 40, 40, 3}));
  EXPECT_EQ(phoneme_text({7, 7, 40, 40, 3}), "B B | | AH");
  EXPECT_EQ(phoneme_text({41, 1, -1}), "41 AA -1");
  EXPECT_EQ(phoneme_text({}), "");
}

TEST(Phonemes, ArgmaxAgreesWithNumpy) {
  std::vector<float> logits(50 * 41);
  fixture("argmax.f32").read(reinterpret_cast<char*>(logits.data()), static_cast<std::streamsize>(logits.size() * 4));
  std::string line;
  std::ifstream expected = fixture("argmax.txt");
  std::getline(expected, line);
  EXPECT_EQ(argmax_classes({logits.data(), 50, 41}), numbers(line));
  EXPECT_TRUE(argmax_classes({nullptr, 0, 41}).empty());
}

TEST(Sentences, NormalisationAgreesWithPython) {
  std::ifstream file = fixture("sentences.txt");
  std::size_t cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const std::vector<std::string> parts = parts_of(line);
    const std::string sentence = from_hex(stripped(parts.at(0)));
    const std::string normal = normalize_sentence(sentence);
    EXPECT_EQ(normal, from_hex(stripped(parts.at(1)))) << sentence;
    EXPECT_EQ(words_of(normal).size(), std::stoul(parts.at(2))) << sentence;
  }
  EXPECT_GT(cases, 2000U);
}

TEST(Sentences, HandWorked) {
  EXPECT_EQ(normalize_sentence("  Well-known,  isn't it? "), "well-known isn't it");
  EXPECT_EQ(normalize_sentence("rock 'n' roll"), "rock'n' roll");  // as published: the space before an apostrophe goes
  EXPECT_EQ(normalize_sentence("yes -- no"), "yes - no");          // "- " goes first, so "--" is never seen
  EXPECT_EQ(words_of("a b  c"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(words_of("").empty());
}

}  // namespace
}  // namespace brainquant
