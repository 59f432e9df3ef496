#include "brainquant/evaluation/evaluated_model.h"

#include <fmt/format.h>

#include <span>
#include <vector>

#include "brainquant/support/error.h"
#include "model/smoothing.h"
#include "quantization/compression_ratio.h"
#include "quantization/quantized_file.h"
#include "torch/any_engine.h"
#include "torch/gpu.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kWarmUpBins = 50;  // of 20 ms

EvaluatedModel open_checkpoint(const fs::path& path, const EngineOptions& options, const RunContext& context) {
  const Checkpoint checkpoint = load_checkpoint(path, context);
  warn_if_unsmoothed(checkpoint.config, context);
  EvaluatedModel model;
  model.facts.method = "fp32";
  model.facts.path = path.string();
  model.facts.sha256 = model.facts.source_sha256 = checkpoint.sha256;
  model.facts.bytes = model.facts.fp32_bytes = checkpoint.config.fp32_bytes();
  model.facts.val_per = checkpoint.val_per;
  model.facts.args_sha256 = checkpoint.args_sha256;
  model.config = checkpoint.config;
  model.engine_options = options;
  model.engine = make_engine(checkpoint.config, checkpoint.weights, options);
  return model;
}

EvaluatedModel open_quantized(const fs::path& path, EngineOptions options, const RunContext& context) {
  const QuantizedFileReader file(path, context);
  const QuantizedModel& quantized = file.model();
  warn_if_unsmoothed(quantized.config, context);
  if (!runs_on_gpu(quantized.options.dtype) && options.gpu_number >= 0) {
    context.log.info("INT8 and 4-bit models run on the CPU");
    options.gpu_number = -1;
  }
  EvaluatedModel model;
  model.facts.method = quantized.options.method_name();
  model.facts.path = path.string();
  model.facts.source_sha256 = quantized.provenance.source_sha256;
  model.facts.bytes = file.file_bytes();
  model.facts.fp32_bytes = quantized.config.fp32_bytes();
  model.facts.val_per = quantized.provenance.val_per;
  model.facts.args_sha256 = quantized.provenance.args_sha256;
  model.facts.made_by = quantized.provenance.tool_version;
  model.facts.quantization = quantized.options;
  model.facts.calibration_trials = quantized.provenance.calibration_trials;
  model.facts.calibration_sha256 = quantized.provenance.calibration_sha256.value_or("");
  model.config = quantized.config;
  model.engine_options = options;
  model.engine = make_engine(file, options, context);
  model.facts.sha256 = file.file_sha256();
  file.require_unchanged();
  return model;
}

}  // namespace

double ModelFacts::compression() const { return compression_ratio(fp32_bytes, bytes); }

EvaluatedModel open_model(const fs::path& path, EngineOptions options, const RunContext& context) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw FileError(path.string(), "no such file or folder");
  options.gpu_number = resolve_gpu_number(options.gpu_number, context);
  if (!fs::is_directory(status)) return open_quantized(path, options, context);
  if (!is_checkpoint_folder(path)) {
    throw FileError(path.string(),
                    "a folder without checkpoint/best_checkpoint: name a quantized file or a checkpoint folder");
  }
  return open_checkpoint(path, options, context);
}

void warm_up(Engine& engine) {
  const DecoderConfig& config = engine.config();
  const std::int64_t bins = config.bins_per_step() + kWarmUpBins;
  const std::vector<float> silence(static_cast<std::size_t>(bins * config.n_input_features));
  const EngineInput input{silence.data(), bins, 0};
  engine.decode(std::span(&input, 1));
}

}  // namespace brainquant
