#include "brainquant/torch/libtorch_environment.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

namespace brainquant {

std::string libtorch_version() { return TORCH_VERSION; }

std::string libtorch_cpu_capability() { return at::get_cpu_capability(); }

int libtorch_gpu_count() { return at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0; }

void set_libtorch_threads(int threads) { at::set_num_threads(threads); }

}  // namespace brainquant
