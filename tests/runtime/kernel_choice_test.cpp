// The table of kernels: order, names, the environment variable.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
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

std::set<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

/// The features named by the -m options that a kernel's file was compiled with.
std::set<std::string> compiled_features(const std::string& kernel) {
  std::set<std::string> features;
  bool found = false;
  for (const auto& entry : nlohmann::json::parse(std::ifstream(BRAINQUANT_COMPILE_COMMANDS))) {
    const std::filesystem::path file = entry.at("file").get<std::string>();
    if (file.stem() != kernel || file.parent_path().filename() != "kernels") continue;
    found = true;
    for (const std::string& word : words_of(entry.at("command").get<std::string>())) {
      if (word.rfind("-march=", 0) == 0) {  // "armv8.2-a+dotprod"
        std::istringstream parts(word);
        std::string feature;
        std::getline(parts, feature, '+');
        while (std::getline(parts, feature, '+')) features.insert(feature);
      } else if (word.rfind("-m", 0) == 0 && word != "-m64" && word.rfind("-mtune=", 0) != 0) {
        features.insert(word.substr(2));
      }
    }
  }
  EXPECT_TRUE(found) << kernel << " is not in " << BRAINQUANT_COMPILE_COMMANDS;
  return features;
}

TEST(KernelChoice, EveryFeatureCompiledForIsAskedFor) {
  for (const Kernel* kernel : all_kernels()) {
    EXPECT_EQ(words_of(kernel->needs), compiled_features(kernel->name)) << kernel->name;
  }
}

// Linux's list of features against CPUID.
TEST(KernelChoice, SupportedWhereLinuxListsTheFeatures) {
#ifndef __x86_64__
  GTEST_SKIP() << "an emulator shows the machine's own list";
#endif
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::set<std::string> listed;
  for (std::string line; listed.empty() && std::getline(cpuinfo, line);) {
    if (line.rfind("flags", 0) == 0) listed = words_of(line);
  }
  if (listed.empty()) GTEST_SKIP() << "no x86 CPU, or no /proc/cpuinfo";
  for (const Kernel* kernel : all_kernels()) {
    bool expected = true;
    bool known = true;
    for (const std::string& feature : words_of(kernel->needs)) {
      const std::string name = feature == "avx512vnni" ? "avx512_vnni" : feature == "avxvnni" ? "avx_vnni" : feature;
      if (listed.count(name) != 0) continue;
      expected = false;
      if (feature == "avxvnni") known = false;  // Linux before 5.12 does not list it
    }
    if (known) {
      EXPECT_EQ(kernel->is_supported(), expected) << kernel->name;
    }
  }
}

TEST(KernelChoice, UnknownName) {
  const std::string message = message_of<UsageError>([] { choose_kernel("AVX2"); });
  expect_contains(message, "--kernel: found 'AVX2'");
  expect_contains(message, "portable");
}

}  // namespace
}  // namespace brainquant
