#include "torch/gpu.h"

#include <fmt/format.h>

#include "brainquant/support/error.h"
#include "torch/libtorch_environment.h"

namespace brainquant {

int resolve_gpu_number(int gpu_number, const RunContext& context) {
  if (gpu_number < -1) {
    throw UsageError(fmt::format("--gpu_number: found {}, expected -1 (the CPU) or the number of a GPU", gpu_number));
  }
  if (gpu_number == -1) return -1;
  const int count = libtorch_gpu_count();
  if (count == 0) {
    context.log.info("no GPU found: running on the CPU");
    return -1;
  }
  if (gpu_number >= count) {
    throw UsageError(fmt::format("--gpu_number: found {}, expected at most {}", gpu_number, count - 1));
  }
  return gpu_number;
}

}  // namespace brainquant
