#include "runtime/int8_engine.h"

#include <fmt/format.h>

#include "brainquant/support/error.h"
#include "runtime/native_engine.h"
#include "runtime/reference_engine.h"

namespace brainquant {

std::unique_ptr<Engine> make_int8_engine(const QuantizedModel& model, const EngineOptions& options) {
  options.validate();
  const std::string engine = options.engine.empty() ? "native" : options.engine;
  if (engine == "reference") return make_reference_engine(model);
  if (engine == "native") return make_native_engine(model, options.kernel, options.effective_threads());
  throw UsageError(fmt::format("--engine {} is none of the INT8 engines reference and native", engine));
}

}  // namespace brainquant
