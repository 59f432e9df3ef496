#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "reporting/page/html.h"
#include "reporting/page/sections.h"

namespace brainquant {

namespace {

constexpr std::size_t kMostTrials = 60;

/// A trial whose sentence changed, and by which methods in the same way.
struct ChangedSentence {
  std::string label;
  std::string truth;
  std::int64_t changed = 0;  // words, over the methods
  struct Version {
    std::vector<TokenChange> words;
    std::vector<std::string> methods;
  };
  std::vector<Version> versions;
};

bool same_words(const std::vector<TokenChange>& a, const std::vector<TokenChange>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const TokenChange& x, const TokenChange& y) {
    return x.before == y.before && x.after == y.after;
  });
}

// Those first that changed most.
std::vector<ChangedSentence> changed_sentences(const Comparison& comparison) {
  std::map<std::string, ChangedSentence> found;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.changes) continue;
    for (const ChangedTrial& trial : method.changes->listed) {
      if (!trial.words_differ) continue;
      ChangedSentence& sentence = found[trial.label];
      sentence.label = trial.label;
      sentence.truth = trial.true_sentence;
      sentence.changed += trial.changed_words();
      const auto same = std::find_if(sentence.versions.begin(), sentence.versions.end(),
                                     [&](const auto& version) { return same_words(version.words, trial.words); });
      auto& version = same == sentence.versions.end() ? sentence.versions.emplace_back() : *same;
      version.words = trial.words;
      version.methods.push_back(method.outcome.name);
    }
  }
  std::vector<ChangedSentence> sentences;
  for (auto& [label, sentence] : found) sentences.push_back(std::move(sentence));
  std::stable_sort(sentences.begin(), sentences.end(),
                   [](const ChangedSentence& a, const ChangedSentence& b) { return a.changed > b.changed; });
  return sentences;
}

/// One column of two aligned sentences; the word that is not there is a dash.
std::string pair_html(const std::string& above, const std::string& below, const char* mark, const char* what) {
  const auto shown = [](const std::string& word) { return word.empty() ? std::string("–") : html_escaped(word); };
  if (*mark == '\0') {
    return fmt::format("<span class=\"pair\"><span>{}</span><span aria-hidden=\"true\">{}</span></span> ", shown(above),
                       shown(below));
  }
  return fmt::format("<span class=\"pair {}\" title=\"{}\"><del>{}</del><ins>{}</ins></span> ", mark, what,
                     shown(above), shown(below));
}

std::string version_html(const ChangedSentence::Version& version) {
  std::string words;
  for (const TokenChange& word : version.words) {
    const bool changed = word.kind() != ChangeKind::equal;
    const char* mark = !changed                               ? ""
                       : word.effect == ChangeEffect::added   ? "worse"
                       : word.effect == ChangeEffect::removed ? "better"
                                                              : "other";
    const char* what = word.effect == ChangeEffect::added     ? "one more error"
                       : word.effect == ChangeEffect::removed ? "one error fewer"
                                                              : "changed";
    words += pair_html(word.before, word.after, mark, what);
  }
  return fmt::format("<p class=\"aligned\"><span class=\"names\"><span>fp32</span><span>{}</span></span> {}</p>\n",
                     html_escaped(fmt::format("{}", fmt::join(version.methods, ", "))), words);
}

std::string sentence_html(const ChangedSentence& sentence) {
  std::string html = fmt::format("<li><h3>{}</h3>\n", html_escaped(sentence.label));
  if (!sentence.truth.empty()) html += "<p class=\"truth\">True: " + html_escaped(sentence.truth) + "</p>\n";
  for (const ChangedSentence::Version& version : sentence.versions) html += version_html(version);
  return html + "</li>\n";
}

// The first method's own errors: fp32's, or those of the only method.
std::string worst_html(const MethodOutcome& baseline) {
  if (baseline.evaluation.worst_sentences.empty()) return "";
  std::string html;
  for (const SentenceExample& example : baseline.evaluation.worst_sentences) {
    std::string words;
    for (const AlignedWords& word : example.words) {
      words += word.truth == word.prediction ? pair_html(word.truth, word.prediction, "", "")
                                             : pair_html(word.truth, word.prediction, "worse", "an error");
    }
    html += fmt::format(
        "<li><h3>{}</h3>\n<p class=\"aligned\"><span class=\"names\"><span>true</span><span>{}</span></span> {}</p>"
        "</li>\n",
        html_escaped(example.label), html_escaped(baseline.name), words);
  }
  return html_details(
      fmt::format("Where {} itself went wrong most", baseline.name),
      html_paragraph("The truth above; ▼ is an error.") + "<ul class=\"sentences\">\n" + html + "</ul>\n");
}

}  // namespace

Section sentences_section(const Comparison& comparison) {
  const std::vector<ChangedSentence> sentences = changed_sentences(comparison);
  std::string content;
  const std::size_t shown = std::min(sentences.size(), kMostTrials);
  for (std::size_t i = 0; i < shown; ++i) content += sentence_html(sentences[i]);
  if (!content.empty()) {
    content =
        html_paragraph(
            "Each sentence that a method changed, once: fp32's words above, the method's below. ▼ is one more error, ▲ "
            "one fewer, ◆ neither.") +
        "<ul class=\"sentences\">\n" + content + "</ul>\n";
  }
  // Of each method only so many are listed at all.
  const bool all_listed = std::all_of(comparison.methods.begin(), comparison.methods.end(), [](const auto& method) {
    return !method.changes || method.changes->listed.size() < kMostListedTrials;
  });
  if (sentences.size() > shown || !all_listed) {
    content += html_paragraph(fmt::format("{}{} more with changed words: see comparison_changes.md.",
                                          all_listed ? "" : "At least ", sentences.size() - shown));
  }
  return {"sentences", "Sentences", content + worst_html(comparison.methods.front().outcome)};
}

}  // namespace brainquant
