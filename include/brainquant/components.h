// What this library runs on.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace brainquant {

/// Name and version of each: {"LibTorch", "2.13.0"}, {"HDF5", "1.10.8"}, {"INT8 kernel", "avx512_vnni"}; the kernel is
/// the one that runs without --kernel. Throws UsageError for a $BRAINQUANT_KERNEL that is unknown or that this CPU
/// lacks.
std::vector<std::pair<std::string, std::string>> components();

}  // namespace brainquant
