// The table of kernels: order, names, the environment variable.
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <set>
#include <string>

#include "brainquant/support/error.h"
#include "runtime/kernels/kernel_table.h"
#include "support/error_message.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::message_of;

/// BRAINQUANT_KERNEL while a test runs.
class KernelVariable {
 public:
  explicit KernelVariable(const char* value) {
    if (const char* old = std::getenv("BRAINQUANT_KERNEL")) before_ = old;
    if (value != nullptr) {
      ::setenv("BRAINQUANT_KERNEL", value, 1);
    } else {
      ::unsetenv("BRAINQUANT_KERNEL");
    }
  }
  ~KernelVariable() {
    if (before_) {
      ::setenv("BRAINQUANT_KERNEL", before_->c_str(), 1);
    } else {
      ::unsetenv("BRAINQUANT_KERNEL");
    }
  }

 private:
  std::optional<std::string> before_;
};

TEST(KernelChoice, BestThatTheCpuHas) {
  const KernelVariable none(nullptr);
  EXPECT_EQ(&choose_kernel(""), supported_kernels().front());
  EXPECT_STREQ(all_kernels().back()->name, "portable");
  EXPECT_TRUE(all_kernels().back()->is_supported());
}

TEST(KernelChoice, NamesAreDistinctAndFindTheirKernel) {
  std::set<std::string> names;
  for (const Kernel* kernel : all_kernels()) {
    EXPECT_TRUE(names.insert(kernel->name).second) << kernel->name;
    if (kernel->is_supported()) {
      EXPECT_EQ(&choose_kernel(kernel->name), kernel);
    } else {
      expect_contains(message_of<UsageError>([&] { choose_kernel(kernel->name); }), "this CPU cannot run");
    }
  }
}

TEST(KernelChoice, VariableForcesOneAndTheOptionGoesFirst) {
  {
    const KernelVariable portable("portable");
    EXPECT_STREQ(choose_kernel("").name, "portable");
    const Kernel& best = *all_kernels().front();
    if (best.is_supported()) {
      EXPECT_EQ(&choose_kernel(best.name), &best);
    }
  }
  const KernelVariable wrong("sse9");
  const std::string message = message_of<UsageError>([] { choose_kernel(""); });
  expect_contains(message, "BRAINQUANT_KERNEL: found 'sse9'");
  for (const Kernel* kernel : all_kernels()) expect_contains(message, kernel->name);
  EXPECT_STREQ(choose_kernel("portable").name, "portable");
}

TEST(KernelChoice, UnknownName) {
  const std::string message = message_of<UsageError>([] { choose_kernel("AVX2"); });
  expect_contains(message, "--kernel: found 'AVX2'");
  expect_contains(message, "portable");
}

}  // namespace
}  // namespace brainquant
