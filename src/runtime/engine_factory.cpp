#include "brainquant/runtime/engine_factory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>

#include "brainquant/model/libtorch_environment.h"
#include "brainquant/support/error.h"
#include "quantization/dequantized_weights.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/libtorch_engine.h"
#include "runtime/native_engine.h"
#include "runtime/reference_engine.h"

namespace brainquant {

std::vector<std::string> engine_names() { return {"reference", "libtorch", "native"}; }

void EngineOptions::validate() const {
  const std::vector<std::string> names = engine_names();
  if (!engine.empty() && std::find(names.begin(), names.end(), engine) == names.end()) {
    throw UsageError(fmt::format("--engine: found '{}', expected one of {}", engine, fmt::join(names, ", ")));
  }
  if (!kernel.empty()) choose_kernel(kernel);
  if (threads < 0 || threads > 1024) {
    throw UsageError(fmt::format("--threads: found {}, expected 0 (all cores) to 1024", threads));
  }
  const int gpus = gpu_number < 0 ? 0 : libtorch_gpu_count();
  if (gpu_number >= 0 && gpu_number >= gpus) {
    throw UsageError(fmt::format("--gpu_number: found {}, but there are {} GPUs (-1 is the CPU)", gpu_number, gpus));
  }
}

int EngineOptions::effective_threads() const {
  if (threads > 0) return threads;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return std::max(1, CPU_COUNT(&cores));
}

OptionList list_options(EngineOptions& options) {
  OptionList list;
  list.add("gpu_number", options.gpu_number, "Number of the GPU, or -1 for the CPU; INT8 always runs on the CPU")
      .that_decides(Decides::decoding);
  list.add("engine", options.engine, "Engine for INT8 models; default: native, the fastest")
      .with_choices(engine_names())
      .that_decides(Decides::decoding);
  list.add("kernel", options.kernel, "Kernel of the native engine; default: the best one for this CPU")
      .that_decides(Decides::decoding);
  list.add("threads", options.threads, "Number of threads; 0 uses every core the process may use")
      .that_decides(Decides::decoding);
  return list;
}

namespace {

/// The engine that runs weights of this format unless told otherwise.
std::string default_engine(WeightFormat format) {
  switch (format) {
    case WeightFormat::int8:
      return "native";
    case WeightFormat::float16:
    case WeightFormat::float32:
      return "libtorch";
  }
  refuse_enumerator(static_cast<int>(format));
}

bool runs_on_gpu(WeightFormat format) {
  switch (format) {
    case WeightFormat::int8:
      return false;
    case WeightFormat::float16:
    case WeightFormat::float32:
      return true;
  }
  refuse_enumerator(static_cast<int>(format));
}

/// The one format that all matrices have: no engine runs a mixture yet.
WeightFormat format_of_all_weights(const QuantizedModel& model) {
  const std::vector<WeightFormat> formats = model.weight_formats();
  if (formats.size() == 1) return formats.front();
  std::vector<std::string> names;
  for (const WeightFormat format : formats) names.push_back(name_of(format));
  throw UsageError(
      fmt::format("the model mixes weights of {}: no engine runs such a model", fmt::join(names, " and ")));
}

ResolvedEngine resolve_format(WeightFormat format, const EngineOptions& options) {
  const std::string engine = !options.engine.empty() ? options.engine : default_engine(format);
  if (engine == "reference") return {engine, kReferenceInstructions};
  if (engine == "native") return {engine, choose_kernel(options.kernel).name};
  const bool on_gpu = runs_on_gpu(format) && options.gpu_number >= 0;
  return {engine, on_gpu ? kGpuInstructions : libtorch_cpu_capability()};
}

std::unique_ptr<Engine> make_libtorch_engine(const QuantizedModel& model, WeightFormat format, int gpu_number) {
  switch (format) {
    case WeightFormat::int8:
      return make_libtorch_int8_engine(model);
    case WeightFormat::float16:
      return make_libtorch_float_engine(model.config, dequantized_weights(model), gpu_number, GruProducts::float16);
    case WeightFormat::float32:
      return make_libtorch_float_engine(model.config, dequantized_weights(model), gpu_number, GruProducts::float32);
  }
  refuse_enumerator(static_cast<int>(format));
}

}  // namespace

ResolvedEngine resolve_engine(std::optional<Dtype> dtype, const EngineOptions& options) {
  return resolve_format(dtype ? format_of(*dtype) : WeightFormat::float32, options);
}

std::unique_ptr<Engine> make_engine(const QuantizedModel& model, const EngineOptions& options) {
  options.validate();
  const WeightFormat format = format_of_all_weights(model);
  const std::string engine = resolve_format(format, options).engine;
  set_libtorch_threads(options.effective_threads());
  // These two refuse what they can't run by name.
  if (engine == "reference") return make_reference_engine(model);
  if (engine == "native") return make_native_engine(model, options.kernel, options.effective_threads());
  return make_libtorch_engine(model, format, options.gpu_number);
}

std::unique_ptr<Engine> make_engine(const DecoderConfig& config, const DecoderWeights& weights,
                                    const EngineOptions& options) {
  options.validate();
  if (!options.engine.empty() && options.engine != "libtorch") {
    throw UsageError(fmt::format("--engine {} runs INT8 models; the fp32 model needs libtorch", options.engine));
  }
  set_libtorch_threads(options.effective_threads());
  return make_libtorch_float_engine(config, weights, options.gpu_number, GruProducts::float32);
}

}  // namespace brainquant
