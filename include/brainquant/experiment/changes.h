// Which words and phonemes a method changes against the baseline, trial by trial.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "brainquant/scoring/changes.h"

namespace brainquant {

/// How often something changed, and how many of these changes added an error or removed one (ChangeEffect).
struct ChangeCounts {
  std::int64_t count = 0;
  std::int64_t added = 0;
  std::int64_t removed = 0;

  void add(ChangeEffect effect);
};

struct WordChanges {
  ChangeCounts lost;    // the baseline said it there, the method does not
  ChangeCounts gained;  // the other way round

  std::int64_t count() const { return lost.count + gained.count; }
};

/// A step where the two decoders' best classes differ.
struct FlippedStep {
  std::int64_t step = 0;
  std::string before;  // the baseline's class, "BLANK" among them
  std::string after;
  /// The baseline's log-softmax of its class minus that of the method's, which is the difference of its logits: nats.
  double margin = 0;
};

/// A trial whose words or phonemes differ.
struct ChangedTrial {
  std::string label;          // TrialId::label()
  std::string true_sentence;  // normalised; "" in test
  bool words_differ = false;
  std::vector<TokenChange> words;          // the whole sentences, normalised; empty without a language model
  std::vector<TokenChange> phonemes;       // the whole of both
  std::optional<FlippedStep> widest_flip;  // the one with the largest margin; none if no step's best class differs
  /// Of the language model's score of the baseline's sentence above that of its second one; none without either.
  std::optional<double> sentence_margin;

  std::int64_t changed_words() const;
  std::int64_t changed_phonemes() const;
};

inline constexpr std::size_t kMostListedTrials = 200;

struct MethodChanges {
  bool truth_known = false;  // else no change has an effect
  std::int64_t trials = 0;
  std::optional<std::int64_t> words_differ;  // in so many trials; none without a language model
  std::int64_t phonemes_differ = 0;
  std::map<std::string, WordChanges> words;
  /// By the baseline's and the method's phoneme; "" for none (an insertion, a deletion).
  std::map<std::pair<std::string, std::string>, ChangeCounts> phonemes;
  /// At most kMostListedTrials, those with the most changed words first, of equals those with the most changed
  /// phonemes, then in the data set's order. The counts above are of all trials.
  std::vector<ChangedTrial> listed;
};

}  // namespace brainquant
