// The part of a run key that decides what an evaluation's logits, trials and times are.
#pragma once

#include <cstdint>
#include <string>

#include "brainquant/support/run_key.h"
#include "model/dataset.h"
#include "torch/any_engine.h"

namespace brainquant {

/// How trials are decoded, as it is resolved and not as it was asked for.
struct DecodingSettings {
  DatasetOptions data;
  EngineOptions engine;  // gpu_number after resolve_gpu_number()
  ResolvedEngine resolved;
  std::int64_t batch_size = 8;
  bool streaming = false;
  std::int64_t step_latency = 0;
  std::string data_fingerprint;  // SHA-256 of Dataset::fingerprint()
};

/// tool_version, git_commit (where there is one), libtorch_version and cpu.
RunKey tool_key();
/// model_sha256: of the quantized file, or of best_checkpoint.
inline constexpr const char* kModelField = "model_sha256";
/// Every setting, engine and instructions as resolved.
RunKey decoding_key(const DecodingSettings& settings);
/// language_model: LanguageModelOptions::fingerprint(), "" with skip_lm.
RunKey words_key(const std::string& language_model_fingerprint);
inline constexpr const char* kLanguageModelField = "language_model";
/// With --tune_lm: data_fingerprint() of the train split, whose trials decide the language model's scales.
inline constexpr const char* kTuningDataField = "lm_tuning_data_fingerprint";

/// SHA-256 of a data set's fingerprint.
std::string data_fingerprint(const Dataset& dataset);

}  // namespace brainquant
