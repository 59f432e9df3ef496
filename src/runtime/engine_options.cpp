#include "brainquant/runtime/engine_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "runtime/kernels/kernel_table.h"

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

}  // namespace brainquant
