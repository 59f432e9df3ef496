#include "brainquant/runtime/engine_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "runtime/kernels/kernel_table.h"
#include "support/cores.h"

namespace brainquant {

std::vector<std::string> engine_names() { return {"reference", "libtorch", "native"}; }

void EngineOptions::validate() const {
  const std::vector<std::string> names = engine_names();
  if (!engine.empty() && std::find(names.begin(), names.end(), engine) == names.end()) {
    throw UsageError(fmt::format("--engine: found '{}', expected one of {}", engine, fmt::join(names, ", ")));
  }
  if (!kernel.empty()) choose_kernel(kernel);
  validate_threads(threads);
}

int EngineOptions::effective_threads() const { return brainquant::effective_threads(threads); }

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

}  // namespace brainquant
