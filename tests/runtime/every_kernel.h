// The fixture of tests that run for every kernel that this CPU has.
#pragma once

#include <gtest/gtest.h>

#include "runtime/kernels/kernel.h"

namespace brainquant::testing {

class EveryKernel : public ::testing::TestWithParam<const Kernel*> {
 protected:
  const Kernel& kernel() const { return *GetParam(); }
};

}  // namespace brainquant::testing
