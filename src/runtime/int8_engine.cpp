#include "runtime/int8_engine.h"

#include <fmt/format.h>

#include "brainquant/runtime/quantized_engine.h"
#include "brainquant/support/error.h"
#include "runtime/native_engine.h"
#include "runtime/reference_engine.h"

namespace brainquant {

namespace {

enum class Int8Engine { native, reference };

Int8Engine int8_engine_of(const EngineOptions& options) {
  options.validate();
  if (options.engine.empty() || options.engine == "native") return Int8Engine::native;
  if (options.engine == "reference") return Int8Engine::reference;
  throw UsageError(fmt::format("--engine {} is none of the INT8 engines reference and native", options.engine));
}

}  // namespace

std::unique_ptr<Engine> make_int8_engine(const QuantizedModel& model, const EngineOptions& options) {
  if (int8_engine_of(options) == Int8Engine::reference) return make_reference_engine(model);
  return make_native_engine(model, options.kernel, options.effective_threads());
}

std::unique_ptr<Engine> make_int8_engine(const QuantizedFileReader& file, const EngineOptions& options,
                                         const RunContext& context) {
  if (int8_engine_of(options) == Int8Engine::reference) return make_reference_engine(file.read_all(context));
  return open_native_engine(file, options.kernel, options.effective_threads());
}

QuantizedEngine open_quantized_engine(const std::filesystem::path& path, const EngineOptions& options,
                                      const RunContext& context) {
  options.validate();
  const QuantizedFileReader file(path, context);
  QuantizedEngine opened{file.model().options.method_name(), make_int8_engine(file, options, context)};
  file.require_unchanged();
  return opened;
}

}  // namespace brainquant
