// Some trials of a split, held in memory and decoded again and again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/language_model/language_model.h"
#include "brainquant/model/logits_view.h"
#include "brainquant/runtime/engine.h"
#include "brainquant/scoring/bootstrap.h"
#include "brainquant/scoring/error_rate.h"
#include "brainquant/support/run_context.h"
#include "model/dataset.h"

namespace brainquant {

struct SampledTrial {
  std::string label;  // TrialId::label()
  std::string session;
  std::int64_t session_index = 0;
  std::int64_t bins = 0;           // smoothed
  std::int64_t steps = 0;          // at least 1
  std::vector<float> features;     // [bins, n_input_features], smoothed
  std::vector<int> phonemes;       // true; empty in test
  std::vector<std::string> words;  // true, normalised; empty in test
};

/// Reads and smooths the trials `chosen`; those too short for a step are left out. Throws what reading throws;
/// WorkError if no trial is left.
std::vector<SampledTrial> read_trials(Dataset& dataset, const std::vector<std::size_t>& chosen,
                                      const DecoderConfig& config, const RunContext& context);

LogitsView view_of(const Logits& logits);
/// Logits of each trial, in batches of like lengths. Throws what the engine throws, WorkError naming a trial whose
/// logits are not finite, Interrupted.
std::vector<Logits> decode_sample(Engine& engine, const std::vector<SampledTrial>& trials, const RunContext& context);

/// What is wrong with one trial's decoding.
struct TrialErrors {
  std::int64_t phonemes = 0;  // edit distance, published order
  std::int64_t words = 0;     // 0 without a sentence
};
/// The words are those of the language model's best sentence; without one (null) there are none.
TrialErrors errors_of(const SampledTrial& trial, const LogitsView& logits, LanguageModel* language_model,
                      const RunContext& context);

/// Phonemes or words: which of both errors and lengths are meant.
struct ErrorKind {
  std::int64_t TrialErrors::*errors;
  std::int64_t (*length)(const SampledTrial&);
};
extern const ErrorKind kPhonemeErrors;
extern const ErrorKind kWordErrors;

ErrorRate rate_of(const std::vector<SampledTrial>& trials, const std::vector<TrialErrors>& errors, ErrorKind kind);
/// b's rate minus a's, by rate_difference().
RateDifference difference_of(const std::vector<SampledTrial>& trials, const std::vector<TrialErrors>& a,
                             const std::vector<TrialErrors>& b, ErrorKind kind);

}  // namespace brainquant
