#include "experiment/trial_sample.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "brainquant/support/error.h"
#include "evaluation/pipeline.h"
#include "model/smoothing.h"
#include "model/trial_reader.h"
#include "scoring/phonemes.h"

namespace brainquant {

namespace {
constexpr std::size_t kTrialsTogether = 8;
}  // namespace

const ErrorKind kPhonemeErrors = {
    &TrialErrors::phonemes, [](const SampledTrial& trial) { return static_cast<std::int64_t>(trial.phonemes.size()); }};
const ErrorKind kWordErrors = {&TrialErrors::words,
                               [](const SampledTrial& trial) { return static_cast<std::int64_t>(trial.words.size()); }};

std::vector<SampledTrial> read_trials(Dataset& dataset, const std::vector<std::size_t>& chosen,
                                      const DecoderConfig& config, const RunContext& context) {
  const std::vector<float> taps = smoothing_taps(config.smoothing);
  std::vector<SampledTrial> trials;
  TrialReader reader(dataset, chosen);
  while (const std::optional<Trial> read = reader.next()) {
    context.cancel.check();
    SampledTrial trial;
    trial.bins = smooth(read->features.data(), read->bins, config.n_input_features, taps, trial.features);
    trial.steps = config.steps_of(trial.bins);
    if (trial.steps == 0) continue;
    trial.label = read->label();
    trial.session = read->session;
    trial.session_index = read->session_index;
    trial.phonemes = read->phonemes;
    trial.words = words_of(normalize_sentence(read->sentence));
    trials.push_back(std::move(trial));
  }
  if (trials.empty()) throw WorkError("none of the trials chosen is long enough for one step");
  return trials;
}

LogitsView view_of(const Logits& logits) { return {logits.values.data(), logits.steps, logits.classes}; }

std::vector<Logits> decode_sample(Engine& engine, const std::vector<SampledTrial>& trials, const RunContext& context) {
  std::vector<std::size_t> order(trials.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return trials[a].bins > trials[b].bins; });
  std::vector<Logits> logits(trials.size());
  for (std::size_t first = 0; first < order.size(); first += kTrialsTogether) {
    context.cancel.check();
    const std::size_t end = std::min(order.size(), first + kTrialsTogether);
    std::vector<EngineInput> batch;
    for (std::size_t i = first; i < end; ++i) {
      const SampledTrial& trial = trials[order[i]];
      batch.push_back({trial.features.data(), trial.bins, trial.session_index});
    }
    std::vector<Logits> decoded = engine.decode(batch);
    for (std::size_t i = first; i < end; ++i) {
      require_finite_logits(trials[order[i]].label, decoded[i - first].values);
      logits[order[i]] = std::move(decoded[i - first]);
    }
  }
  return logits;
}

TrialErrors errors_of(const SampledTrial& trial, const LogitsView& logits, LanguageModel* language_model,
                      const RunContext& context) {
  TrialErrors errors;
  errors.phonemes = edit_counts(trial.phonemes, collapse_published(argmax_classes(logits))).distance();
  if (language_model == nullptr) return errors;
  const std::vector<SentenceCandidate> candidates = language_model->decode(logits, context);
  const std::string sentence = candidates.empty() ? "" : candidates.front().sentence;
  errors.words = edit_counts(trial.words, words_of(normalize_sentence(sentence))).distance();
  return errors;
}

ErrorRate rate_of(const std::vector<SampledTrial>& trials, const std::vector<TrialErrors>& errors, ErrorKind kind) {
  ErrorRate rate;
  for (std::size_t i = 0; i < trials.size(); ++i) rate.add(errors[i].*kind.errors, kind.length(trials[i]));
  return rate;
}

RateDifference difference_of(const std::vector<SampledTrial>& trials, const std::vector<TrialErrors>& a,
                             const std::vector<TrialErrors>& b, ErrorKind kind) {
  std::vector<PairedCounts> pairs;
  std::vector<std::string> sessions;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    sessions.push_back(trials[i].session);
    PairedCounts& pair = pairs.emplace_back();
    pair.distance_a = a[i].*kind.errors;
    pair.distance_b = b[i].*kind.errors;
    pair.length = kind.length(trials[i]);
  }
  return rate_difference(pairs, sessions);
}

}  // namespace brainquant
