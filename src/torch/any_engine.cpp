#include "torch/any_engine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "quantization/dequantized_weights.h"
#include "runtime/int8_engine.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/reference_engine.h"
#include "runtime/require_int8.h"
#include "torch/libtorch_engine.h"
#include "torch/libtorch_environment.h"

namespace brainquant {

namespace {

/// The engine that runs weights of this format unless told otherwise.
std::string default_engine(WeightFormat format) {
  switch (format) {
    case WeightFormat::int8:
    case WeightFormat::int4:
      return "native";
    case WeightFormat::float16:
    case WeightFormat::float32:
      return "libtorch";
  }
  refuse_enumerator(static_cast<int>(format));
}

bool format_runs_on_gpu(WeightFormat format) {
  switch (format) {
    case WeightFormat::int8:
    case WeightFormat::int4:
      return false;
    case WeightFormat::float16:
    case WeightFormat::float32:
      return true;
  }
  refuse_enumerator(static_cast<int>(format));
}

WeightFormat format_of(std::optional<Dtype> dtype) {
  return dtype ? brainquant::format_of(*dtype) : WeightFormat::float32;
}

/// The format that the model is run as: that of all its matrices, or INT8 where all of them run as INT8. No engine runs
/// other mixtures.
WeightFormat format_run_as(const std::vector<WeightFormat>& formats) {
  if (formats.size() == 1) return formats.front();
  if (std::all_of(formats.begin(), formats.end(), runs_as_int8)) return WeightFormat::int8;
  std::vector<std::string> names;
  for (const WeightFormat format : formats) names.push_back(name_of(format));
  throw UsageError(
      fmt::format("the model mixes weights of {}: no engine runs such a model", fmt::join(names, " and ")));
}

ResolvedEngine resolve_format(WeightFormat format, const EngineOptions& options) {
  const std::string engine = !options.engine.empty() ? options.engine : default_engine(format);
  if (engine == "reference") return {engine, kReferenceInstructions};
  if (engine == "native") return {engine, choose_kernel(options.kernel).name};
  const bool on_gpu = format_runs_on_gpu(format) && options.gpu_number >= 0;
  return {engine, on_gpu ? kGpuInstructions : libtorch_cpu_capability()};
}

std::unique_ptr<Engine> make_libtorch_engine(const QuantizedModel& model, WeightFormat format, int gpu_number) {
  switch (format) {
    case WeightFormat::int8:
    case WeightFormat::int4:
      return make_libtorch_int8_engine(model);
    case WeightFormat::float16:
      return make_libtorch_float_engine(model.config, dequantized_weights(model), gpu_number, GruProducts::float16);
    case WeightFormat::float32:
      return make_libtorch_float_engine(model.config, dequantized_weights(model), gpu_number, GruProducts::float32);
  }
  refuse_enumerator(static_cast<int>(format));
}

void validate(const EngineOptions& options) {
  options.validate();
  const int gpu_number = options.gpu_number;
  const int gpus = gpu_number < 0 ? 0 : libtorch_gpu_count();
  if (gpu_number >= 0 && gpu_number >= gpus) {
    throw UsageError(fmt::format("--gpu_number: found {}, but there are {} GPUs (-1 is the CPU)", gpu_number, gpus));
  }
}

}  // namespace

bool runs_on_gpu(std::optional<Dtype> dtype) { return format_runs_on_gpu(format_of(dtype)); }

ResolvedEngine resolve_engine(std::optional<Dtype> dtype, const EngineOptions& options) {
  return resolve_format(format_of(dtype), options);
}

std::unique_ptr<Engine> make_engine(const QuantizedModel& model, const EngineOptions& options) {
  validate(options);
  const WeightFormat format = format_run_as(model.weight_formats());
  set_libtorch_threads(options.effective_threads());
  // The INT8 engines refuse what they can't run by name.
  if (resolve_format(format, options).engine != "libtorch") return make_int8_engine(model, options);
  return make_libtorch_engine(model, format, options.gpu_number);
}

std::unique_ptr<Engine> make_engine(const QuantizedFileReader& file, const EngineOptions& options,
                                    const RunContext& context) {
  validate(options);
  const WeightFormat format = format_run_as(file.weight_formats());
  set_libtorch_threads(options.effective_threads());
  if (resolve_format(format, options).engine != "libtorch") return make_int8_engine(file, options, context);
  return make_libtorch_engine(file.read_all(context), format, options.gpu_number);
}

std::unique_ptr<Engine> make_engine(const DecoderConfig& config, const DecoderWeights& weights,
                                    const EngineOptions& options) {
  validate(options);
  if (!options.engine.empty() && options.engine != "libtorch") {
    throw UsageError(fmt::format("--engine {} runs INT8 models; the fp32 model needs libtorch", options.engine));
  }
  set_libtorch_threads(options.effective_threads());
  return make_libtorch_float_engine(config, weights, options.gpu_number, GruProducts::float32);
}

}  // namespace brainquant
