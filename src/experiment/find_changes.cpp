#include "experiment/find_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "brainquant/scoring/error_rate.h"
#include "brainquant/support/error.h"
#include "io/hdf5_logits.h"
#include "scoring/phonemes.h"

namespace brainquant {

namespace {

std::int64_t changed(const std::vector<TokenChange>& tokens) {
  return std::count_if(tokens.begin(), tokens.end(),
                       [](const TokenChange& token) { return token.kind() != ChangeKind::equal; });
}

std::vector<std::string> phonemes_of(const std::vector<int>& classes) {
  return words_of(phoneme_text(collapse_published(classes)));
}

std::vector<std::string> sentence_of(const TrialScore& trial) {
  return words_of(normalize_sentence(trial.sentence.value_or("")));
}

std::optional<FlippedStep> widest_flip(const StoredLogits& logits, const std::vector<int>& before,
                                       const std::vector<int>& after) {
  std::optional<FlippedStep> widest;
  for (std::size_t step = 0; step < before.size(); ++step) {
    if (before[step] == after[step]) continue;
    const float* row = logits.values.data() + static_cast<std::int64_t>(step) * logits.classes;
    const double margin = static_cast<double>(row[before[step]]) - static_cast<double>(row[after[step]]);
    if (widest && margin <= widest->margin) continue;
    widest =
        FlippedStep{static_cast<std::int64_t>(step), phoneme_text({before[step]}), phoneme_text({after[step]}), margin};
  }
  return widest;
}

class Changes {
 public:
  Changes(const MethodOutcome& baseline, const MethodOutcome& method)
      : baseline_(baseline.evaluation),
        method_(method.evaluation),
        method_path_(method.logits),
        baseline_logits_(baseline.logits),
        method_logits_(method.logits) {}

  MethodChanges find(const RunContext& context) {
    result_.truth_known = baseline_.per.has_value();
    result_.trials = static_cast<std::int64_t>(baseline_.trials.size());
    if (has_words()) result_.words_differ = 0;
    for (std::size_t i = 0; i < baseline_.trials.size(); ++i) {
      context.cancel.check();
      add(baseline_.trials[i], method_.trials[i]);
    }
    std::stable_sort(result_.listed.begin(), result_.listed.end(), [](const ChangedTrial& a, const ChangedTrial& b) {
      return std::pair(a.changed_words(), a.changed_phonemes()) > std::pair(b.changed_words(), b.changed_phonemes());
    });
    result_.listed.resize(std::min(result_.listed.size(), kMostListedTrials));
    return std::move(result_);
  }

 private:
  bool has_words() const { return !baseline_.language_model.empty() && !method_.language_model.empty(); }

  void add(const TrialScore& before, const TrialScore& after) {
    const StoredLogits logits = baseline_logits_.read(before.label);
    const StoredLogits other = method_logits_.read(before.label);
    const std::vector<int> classes = argmax_classes({logits.values.data(), logits.steps, logits.classes});
    const std::vector<int> other_classes = argmax_classes({other.values.data(), other.steps, other.classes});
    if (classes.size() != other_classes.size() || logits.classes != other.classes) {
      throw FormatError(method_path_.string(), before.label, fmt::format("[{}, {}]", other.steps, other.classes),
                        fmt::format("[{}, {}]", logits.steps, logits.classes));
    }
    const auto truth = [&](const std::string& text) {
      return result_.truth_known ? std::optional(words_of(text)) : std::nullopt;
    };
    ChangedTrial trial;
    trial.label = before.label;
    trial.true_sentence = normalize_sentence(before.true_sentence);
    trial.phonemes = align_changes(phonemes_of(classes), phonemes_of(other_classes), truth(before.true_phonemes));
    if (has_words()) trial.words = align_changes(sentence_of(before), sentence_of(after), truth(trial.true_sentence));
    trial.words_differ = trial.changed_words() > 0;
    if (!trial.words_differ && trial.changed_phonemes() == 0) return;
    trial.widest_flip = widest_flip(logits, classes, other_classes);
    trial.sentence_margin = before.sentence_margin;
    count(trial);
    result_.listed.push_back(std::move(trial));
  }

  void count(const ChangedTrial& trial) {
    if (trial.words_differ) ++*result_.words_differ;
    if (trial.changed_phonemes() > 0) ++result_.phonemes_differ;
    for (const TokenChange& word : trial.words) {
      if (word.kind() == ChangeKind::equal) continue;
      if (!word.before.empty()) result_.words[word.before].lost.add(word.effect);
      if (!word.after.empty()) result_.words[word.after].gained.add(word.effect);
    }
    for (const TokenChange& phoneme : trial.phonemes) {
      if (phoneme.kind() != ChangeKind::equal) result_.phonemes[{phoneme.before, phoneme.after}].add(phoneme.effect);
    }
  }

  const EvaluationSummary& baseline_;
  const EvaluationSummary& method_;
  const std::filesystem::path& method_path_;
  LogitsFileReader baseline_logits_;
  LogitsFileReader method_logits_;
  MethodChanges result_;
};

// An evaluation of a version that kept no texts.
bool lacks_texts(const EvaluationSummary& evaluation) {
  return std::any_of(evaluation.trials.begin(), evaluation.trials.end(), [&](const TrialScore& trial) {
    return static_cast<std::int64_t>(words_of(trial.true_phonemes).size()) != trial.true_length ||
           (!evaluation.language_model.empty() && !trial.sentence);
  });
}

}  // namespace

void ChangeCounts::add(ChangeEffect effect) {
  ++count;
  if (effect == ChangeEffect::added) ++added;
  if (effect == ChangeEffect::removed) ++removed;
}

std::int64_t ChangedTrial::changed_words() const { return changed(words); }
std::int64_t ChangedTrial::changed_phonemes() const { return changed(phonemes); }

std::optional<MethodChanges> find_changes(const MethodOutcome& baseline, const MethodOutcome& method,
                                          const RunContext& context) {
  for (const MethodOutcome* outcome : {&baseline, &method}) {
    if (!lacks_texts(outcome->evaluation)) continue;
    context.log.info(fmt::format(
        "{}: an earlier version left results without sentences and true phonemes: what changed can't be said of them; "
        "--force makes them anew",
        outcome->name));
    return {};
  }
  return Changes(baseline, method).find(context);
}

}  // namespace brainquant
