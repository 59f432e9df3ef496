// The choice of a kernel at run time.
#pragma once

#include <string>
#include <vector>

#include "runtime/kernels/kernel.h"

namespace brainquant {

/// All kernels of this build in order of preference, supported here or not.
const std::vector<const Kernel*>& all_kernels();
/// Those that this CPU has.
std::vector<const Kernel*> supported_kernels();
/// By name; "" is $BRAINQUANT_KERNEL or else the first that this CPU supports. Throws UsageError for a name that is
/// unknown or that this CPU lacks.
const Kernel& choose_kernel(const std::string& name);

}  // namespace brainquant
