#include "brainquant/quantization/add_session.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "brainquant/support/error.h"
#include "brainquant/version.h"
#include "model/checkpoint.h"
#include "model/config_limits.h"
#include "model/dataset.h"
#include "model/smoothing.h"
#include "quantization/args_beside.h"
#include "quantization/quantized_file.h"
#include "quantization/quantizer.h"
#include "quantization/report_tensors.h"
#include "quantization/weight_codec.h"
#include "support/atomic_file.h"
#include "support/run_lock.h"
#include "support/sha256.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr float kHighestInt8 = 127;

template <typename Value>
void require_same(const fs::path& checkpoint, const char* what, const Value& found, const Value& expected) {
  if (found == expected) return;
  throw FormatError(checkpoint.string(), what, fmt::format("{}", found),
                    fmt::format("{}, as in the quantized file", expected));
}

void require_same_decoder(const Checkpoint& checkpoint, const DecoderConfig& expected) {
  const DecoderConfig& found = checkpoint.config;
  const fs::path& path = checkpoint.args_path;
  require_same(path, "n_input_features", found.n_input_features, expected.n_input_features);
  require_same(path, "n_units", found.n_units, expected.n_units);
  require_same(path, "n_layers", found.n_layers, expected.n_layers);
  require_same(path, "n_classes", found.n_classes, expected.n_classes);
  require_same(path, "patch_size", found.patch_size, expected.patch_size);
  require_same(path, "patch_stride", found.patch_stride, expected.patch_stride);
  require_same(path, "smooth_data", found.smoothing.smooth_data, expected.smoothing.smooth_data);
  require_same(path, "smooth_kernel_std", found.smoothing.smooth_kernel_std, expected.smoothing.smooth_kernel_std);
  require_same(path, "smooth_kernel_size", found.smoothing.smooth_kernel_size, expected.smoothing.smooth_kernel_size);
}

void require_hashes(const AddSessionJob& job, const QuantizedModel& model) {
  if (!model.provenance.parameters) {
    throw FormatError(job.base.string(), "provenance",
                      fmt::format("made by version {}, which did not say of which weights; quantize the model again "
                                  "to add sessions to it",
                                  model.provenance.tool_version));
  }
}

// Everything but the session's own day layer must be what the file was made of.
void require_same_weights(const AddSessionJob& job, const Checkpoint& checkpoint, const ParameterHashes& found,
                          const QuantizedModel& model) {
  const ParameterHashes& expected = *model.provenance.parameters;
  const auto refuse = [&](const std::string& what) {
    throw FormatError(checkpoint.weights_path.string(), what, "is not what the quantized file was made of");
  };
  if (found.shared != expected.shared) refuse("GRU and output layer");
  for (std::size_t d = 0; d < model.config.sessions.size(); ++d) {
    const std::string& session = model.config.sessions[d];
    const std::int64_t index = checkpoint.config.session_index(session);
    if (session == job.session || index < 0) continue;
    if (found.days[static_cast<std::size_t>(index)] != expected.days[d]) refuse("the day layer of " + session);
  }
}

/// Puts `value` at `index`, or at the end.
template <typename Value>
void put(std::vector<Value>& values, std::size_t index, Value value) {
  if (index < values.size()) {
    values[index] = std::move(value);
  } else {
    values.push_back(std::move(value));
  }
}

Clipping clipping_of(const AddSessionJob& job, const DecoderConfig& config, float scale, const RunContext& context) {
  DatasetOptions data;
  data.data_dir = job.data_dir;
  data.split = Split::train;
  data.sessions = {job.session};
  Dataset train(config, data, context);
  const std::vector<float> taps = smoothing_taps(config.smoothing);
  Clipping clipping;
  std::vector<float> smoothed;
  for (std::size_t i = 0; i < train.size(); ++i) {
    context.cancel.check();
    context.progress.update("clipping", static_cast<std::int64_t>(i), static_cast<std::int64_t>(train.size()));
    const Trial trial = train.read(i);
    const std::int64_t bins = smooth(trial.features.data(), trial.bins, config.n_input_features, taps, smoothed);
    for (std::int64_t v = 0; v < bins * config.n_input_features; ++v) {
      clipping.clipped += std::abs(std::nearbyint(smoothed[static_cast<std::size_t>(v)] / scale)) > kHighestInt8;
    }
    clipping.values += bins * config.n_input_features;
    ++clipping.trials;
  }
  return clipping;
}

void measure_clipping(const AddSessionJob& job, const QuantizedModel& model, AddSessionOutcome& outcome,
                      const RunContext& context) {
  outcome.is_static = model.activation_scales.has_value();
  if (!outcome.is_static) return;
  try {
    outcome.clipping = clipping_of(job, model.config, model.activation_scales->day_input, context);
  } catch (const FileError& problem) {
    outcome.not_measured = problem.what();
  } catch (const FormatError& problem) {
    outcome.not_measured = problem.what();
  }
}

// As a reader of the new file will have it.
void require_readable(const DecoderConfig& config) {
  if (config.sessions.size() > config_limits::kMaxSessions ||
      config.parameter_count() > config_limits::kMaxParameters) {
    throw UsageError(fmt::format("one session more than the {} that a file may have, or than its size allows",
                                 config.sessions.size() - 1));
  }
}

// What lies there already, beside the base perhaps, is another file's description and stays.
bool try_to_save_args(const AddSessionJob& job, const Checkpoint& checkpoint) {
  const fs::path path = args_path_of(job.output_path);
  std::error_code ignored;
  if (fs::exists(path, ignored)) return sha256_of_file(path) == checkpoint.args_sha256;
  save_args_yaml(job.output_path, checkpoint.args_yaml, false);
  return true;
}

}  // namespace

void AddSessionJob::validate() const {
  if (base.empty()) throw UsageError("--base must name a quantized file");
  if (output_path.empty()) throw UsageError("--output_path must name a file");
  std::error_code ignored;
  if (fs::equivalent(base, output_path, ignored)) {
    throw UsageError(fmt::format("--output_path {} is --base itself", output_path.string()));
  }
}

AddSessionOutcome add_session(const AddSessionJob& job, const RunContext& context) {
  job.validate();
  require_checkpoint_folder(job.checkpoint);
  if (output_kind(job.output_path) == OutputKind::stream) {
    throw FileError(job.output_path.string(), "is no regular file");
  }
  const RunLock lock(job.output_path.string() + ".lock", job.output_path.string(), WhenLocked::wait, context);
  if (output_kind(job.output_path) == OutputKind::regular_file && !job.force) {
    throw FileError(job.output_path.string(), "already exists; --force replaces it");
  }
  LoadedQuantizedFile file = load_quantized_file(job.base, context);
  QuantizedModel& model = file.model;
  require_hashes(job, model);
  const std::int64_t place = model.config.session_index(job.session);
  if (job.replace != (place >= 0)) {
    throw FormatError(job.base.string(), "sessions",
                      fmt::format("{} {}", job.session,
                                  job.replace ? "is not there; --add_session adds it"
                                              : "is there already; --replace_session replaces it"));
  }
  const Checkpoint checkpoint = load_checkpoint(job.checkpoint, context);
  const std::int64_t source = checkpoint.config.session_index(job.session);
  if (source < 0) throw FormatError(checkpoint.args_path.string(), "sessions", job.session + " is not there");
  refuse_to_overwrite_source(job.output_path, checkpoint);
  require_same_decoder(checkpoint, model.config);
  ParameterHashes hashes = parameter_hashes(checkpoint.weights);
  require_same_weights(job, checkpoint, hashes, model);

  const auto from = static_cast<std::size_t>(source);
  const std::size_t to = job.replace ? static_cast<std::size_t>(place) : model.config.sessions.size();
  const Matrix& day = checkpoint.weights.day_weights[from];
  AddSessionOutcome outcome;
  outcome.method = model.options.method_name();
  if (model.options.day_layers == DayLayers::keep_float) {
    outcome.tensor = fmt::format("day_weights.{}", to);
    outcome.sqnr_db = std::numeric_limits<double>::infinity();
    put(model.day_weights, to, day);
  } else {
    outcome.tensor = fmt::format("day_residuals.{}", to);
    const Matrix residual = day_residual(day);
    WeightMatrix quantized = codec_of(format_of(model.options, outcome.tensor))
                                 .quantize(residual, residual.cols, model.options.effective_granularity());
    outcome.sqnr_db = day_sqnr_db(residual, quantized);
    put(model.day_residuals, to, std::move(quantized));
  }
  put(model.day_biases, to, checkpoint.weights.day_biases[from]);
  put(model.config.sessions, to, job.session);
  put(model.provenance.parameters->days, to, hashes.days[from]);
  model.provenance.added_sessions.push_back({job.session, checkpoint.sha256, kVersion, job.replace});
  require_readable(model.config);
  measure_clipping(job, model, outcome, context);
  if (checkpoint.config.sessions == model.config.sessions)
    outcome.args_yaml_written = try_to_save_args(job, checkpoint);
  save_quantized_model(model, job.output_path);
  outcome.output_bytes = static_cast<std::int64_t>(fs::file_size(job.output_path));
  return outcome;
}

}  // namespace brainquant
