// Edit distances and the error rates made of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brainquant {

/// Levenshtein distance, with the numbers of its parts: of the shortest alignments, those with the most substitutions,
/// which all have the same numbers (the distance and the difference of the lengths fix the other two).
struct EditCounts {
  std::int64_t substitutions = 0;
  std::int64_t deletions = 0;   // in the truth, not in the prediction
  std::int64_t insertions = 0;  // in the prediction, not in the truth
  std::int64_t distance() const { return substitutions + deletions + insertions; }
};

EditCounts edit_counts(const std::vector<int>& truth, const std::vector<int>& prediction);
EditCounts edit_counts(const std::vector<std::string>& truth, const std::vector<std::string>& prediction);

/// A column of two aligned sentences. "" stands for no word: the prediction's of a deletion, the truth's of an
/// insertion.
struct AlignedWords {
  std::string truth;
  std::string prediction;
};

/// One of the alignments that edit_counts() counts: where there are several, gaps come as early as they can.
std::vector<AlignedWords> align_words(const std::vector<std::string>& truth,
                                      const std::vector<std::string>& prediction);

/// Sums over trials; rate() is 100 * sum of distances / sum of true lengths, 0 when there is no truth.
struct ErrorRate {
  std::int64_t distance = 0;
  std::int64_t length = 0;
  void add(std::int64_t d, std::int64_t l) { distance += d, length += l; }
  double rate() const { return length > 0 ? 100.0 * static_cast<double>(distance) / static_cast<double>(length) : 0.0; }
};

/// The published normalisation: letters, '-', space and apostrophe kept; then "- " -> " ", "--" -> "", " '" -> "'";
/// lower case; single spaces, none at the ends.
std::string normalize_sentence(std::string_view sentence);
/// The words of a normalised sentence.
std::vector<std::string> words_of(std::string_view normalized);

}  // namespace brainquant
