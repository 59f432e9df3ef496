// For tests that run once for each kernel.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "runtime/kernels/kernel.h"

namespace brainquant::testing {

inline std::string kernel_name(const ::testing::TestParamInfo<const Kernel*>& info) { return info.param->name; }

}  // namespace brainquant::testing
