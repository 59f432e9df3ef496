// A model file on its way into an engine, and what results say about it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/model/config.h"
#include "brainquant/quantization/scheme.h"
#include "brainquant/runtime/engine.h"
#include "brainquant/runtime/engine_options.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

struct ModelFacts {
  std::string method;             // "fp32", "dynamic_qint8", ...
  std::string path;               // as the user named it
  std::string sha256;             // of the quantized file, or of best_checkpoint
  std::string source_sha256;      // of the best_checkpoint that it was made of
  std::int64_t bytes = 0;         // of the quantized file; of the fp32 parameters for a checkpoint
  std::int64_t fp32_bytes = 0;    // 4 bytes for each parameter
  std::optional<double> val_per;  // what the training run said of the checkpoint, a fraction
  std::string args_sha256;        // of the args.yaml that it was made with; "" if the file doesn't say

  // What made a quantized file; nothing for a checkpoint.
  std::string made_by;  // the tool's version
  std::optional<QuantizationOptions> quantization;
  std::vector<std::string> calibration_trials;  // "t15.2023.08.11/trial_0003", static types
  std::string calibration_sha256;               // of their features as read; "" if the file doesn't say

  /// fp32_bytes by bytes; 0 for a model without bytes.
  double compression() const;
};

struct EvaluatedModel {
  ModelFacts facts;
  DecoderConfig config;
  EngineOptions engine_options;  // as the engine follows them: the GPU number resolved
  std::unique_ptr<Engine> engine;
};

/// Opens a quantized file, or a checkpoint folder as the fp32 baseline, and builds its engine; the GPU number is
/// resolved (INT8 runs on the CPU and says so). Throws FileError (missing), FormatError (not a model), UsageError
/// (options that the model's engine cannot follow).
EvaluatedModel open_model(const std::filesystem::path& path, EngineOptions options, const RunContext& context = {});

/// Decodes a second of silence, so that what an engine does only once (threads, plans, first touches of memory) is not
/// counted as some trial's time.
void warm_up(Engine& engine);

}  // namespace brainquant
