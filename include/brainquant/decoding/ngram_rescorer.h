// Replaces the n-gram score of candidate sentences with that of a larger model.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "brainquant/decoding/language_model.h"
#include "brainquant/decoding/wfst_graph.h"

namespace brainquant {

/// Scores whole sentences.
class SentenceScorer {
 public:
  virtual ~SentenceScorer() = default;
  /// Natural logarithm of the sentence's probability, its end included; nothing if the model can't say the sentence (a
  /// word that it doesn't know, and no `<unk>`). Any number of threads may call it at once.
  virtual std::optional<double> log_probability(const std::vector<std::string>& words) const = 0;
};

/// A model from a file: an ARPA back-off model, gzipped or not, or an OpenFst grammar (G.fst) whose input labels
/// `words` names.
///   ARPA: log10 p(w | h) as listed, else backoff(h) + log10 p(w | h without its first word); `<s>` before the sentence
///   and
///     `</s>` behind it. A word not listed is looked up in lower case, then in upper case, then as `<unk>`.
///   Grammar: minus the least cost of a path that says the words. Epsilon, `#0` and the like, `<s>` and `</s>` say
///   nothing.
/// Throws FileError, FormatError (naming the line or state).
std::unique_ptr<const SentenceScorer> open_sentence_scorer(const std::filesystem::path& path, const WordTable& words);

class NgramRescorer {
 public:
  /// The new model, and the one that the graph was built with: G.fst, lm.arpa or lm.arpa.gz in the graph's folder, the
  /// first that is there. Throws UsageError when there is none, FileError, FormatError.
  NgramRescorer(const WfstGraph& graph, const std::filesystem::path& new_model);

  /// ngram becomes ngram - old model's score + new model's score, total follows, and the list is sorted again, best
  /// first; equal totals keep their order. Sentences that the new or the old model can't say are left out, as composing
  /// a lattice with the models would; if that leaves none, the list stays as it was.
  std::vector<SentenceCandidate> rescore(std::vector<SentenceCandidate> candidates, double acoustic_scale) const;

 private:
  std::unique_ptr<const SentenceScorer> old_model_;
  std::unique_ptr<const SentenceScorer> new_model_;
};

}  // namespace brainquant
