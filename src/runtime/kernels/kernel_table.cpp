#include "runtime/kernels/kernel_table.h"

#include <fmt/format.h>
#if defined(BRAINQUANT_X86_KERNELS)
#include <cpuid.h>
#elif defined(BRAINQUANT_AARCH64_KERNELS)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "brainquant/support/error.h"

namespace brainquant {

extern const Kernel kPortableKernel;
#if defined(BRAINQUANT_X86_KERNELS)
extern const Kernel kAvx2Kernel;
extern const Kernel kAvxVnniKernel;
extern const Kernel kAvx512VnniKernel;
#elif defined(BRAINQUANT_AARCH64_KERNELS)
extern const Kernel kNeonKernel;
extern const Kernel kNeonDotKernel;
#endif

namespace {

#if defined(BRAINQUANT_X86_KERNELS)
bool has_avx_vnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kAvxVnniBit = 1u << 4;  // CPUID leaf 7, subleaf 1, EAX
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnniBit) != 0;
}
#endif

// __builtin_cpu_supports also asks whether the operating system saves the registers.
bool cpu_has(std::string_view feature) {
#if defined(BRAINQUANT_X86_KERNELS)
  if (feature == "avx2") return __builtin_cpu_supports("avx2");
  if (feature == "avxvnni") return has_avx_vnni();
  if (feature == "avx512f") return __builtin_cpu_supports("avx512f");
  if (feature == "avx512bw") return __builtin_cpu_supports("avx512bw");
  if (feature == "avx512dq") return __builtin_cpu_supports("avx512dq");
  if (feature == "avx512vl") return __builtin_cpu_supports("avx512vl");
  if (feature == "avx512vnni") return __builtin_cpu_supports("avx512vnni");
#elif defined(BRAINQUANT_AARCH64_KERNELS)
  if (feature == "dotprod") return (::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
  throw std::logic_error(fmt::format("nobody can ask a CPU for '{}'", feature));
}

}  // namespace

bool Kernel::is_supported() const {
  std::string_view left = needs;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find(' '), left.size());
    if (!cpu_has(left.substr(0, end))) return false;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return true;
}

const std::vector<const Kernel*>& all_kernels() {
  static const std::vector<const Kernel*> kernels = {
#if defined(BRAINQUANT_X86_KERNELS)
    &kAvx512VnniKernel,
    &kAvxVnniKernel,
    &kAvx2Kernel,
#elif defined(BRAINQUANT_AARCH64_KERNELS)
    &kNeonDotKernel,
    &kNeonKernel,
#endif
    &kPortableKernel
  };
  return kernels;
}

std::vector<const Kernel*> supported_kernels() {
  std::vector<const Kernel*> kernels = all_kernels();
  std::erase_if(kernels, [](const Kernel* kernel) { return !kernel->is_supported(); });
  return kernels;
}

const Kernel& choose_kernel(const std::string& name) {
  std::string wanted = name;
  std::string from = "--kernel";
  if (wanted.empty()) {
    if (const char* variable = std::getenv("BRAINQUANT_KERNEL")) {
      wanted = variable;
      from = "BRAINQUANT_KERNEL";
    }
  }
  std::string choices;
  for (const Kernel* kernel : all_kernels()) {
    if (wanted.empty() && kernel->is_supported()) return *kernel;
    if (wanted == kernel->name) {
      if (kernel->is_supported()) return *kernel;
      throw UsageError(fmt::format("{}: this CPU cannot run the kernel '{}'", from, wanted));
    }
    choices += fmt::format("{}{}", choices.empty() ? "" : ", ", kernel->name);
  }
  throw UsageError(fmt::format("{}: found '{}', expected one of {}", from, wanted, choices));
}

}  // namespace brainquant
