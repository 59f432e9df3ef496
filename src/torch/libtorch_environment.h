// Facts about the LibTorch in use, for results ("on what machine, with what versions"), and its global settings.
#pragma once

#include <string>

namespace brainquant {

std::string libtorch_version();         // "2.13.0"
std::string libtorch_cpu_capability();  // "AVX512"
int libtorch_gpu_count();               // 0 without CUDA
/// For its operators, in this thread and in threads begun later; at least 1. Throws WorkError if the system refuses to
/// start so many.
void set_libtorch_threads(int threads);

}  // namespace brainquant
