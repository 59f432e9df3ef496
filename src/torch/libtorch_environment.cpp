#include "torch/libtorch_environment.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <atomic>
#include <vector>

#include "support/start_thread.h"

namespace brainquant {

std::string libtorch_version() { return TORCH_VERSION; }

std::string libtorch_cpu_capability() { return at::get_cpu_capability(); }

int libtorch_gpu_count() { return at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0; }

void set_libtorch_threads(int threads) {
  {
    // OpenMP's runtime, which starts LibTorch's threads when they are first needed, ends the process if it cannot. So
    // many are tried first, and one more for what is begun in between.
    std::atomic<bool> done = false;
    std::vector<std::jthread> trial;
    try {
      for (int i = 0; threads > 1 && i < threads; ++i)
        trial.push_back(start_thread("LibTorch", [&] { done.wait(false); }));
    } catch (...) {
      done = true;
      done.notify_all();
      throw;
    }
    done = true;
    done.notify_all();
  }
  at::set_num_threads(threads);
}

}  // namespace brainquant
