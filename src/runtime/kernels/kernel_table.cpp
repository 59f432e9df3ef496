#include "runtime/kernels/kernel_table.h"

#include <fmt/format.h>

#include <cstdlib>

#include "brainquant/support/error.h"

namespace brainquant {

extern const Kernel kPortableKernel;
#if defined(BRAINQUANT_X86_KERNELS)
extern const Kernel kAvx2Kernel;
extern const Kernel kAvxVnniKernel;
extern const Kernel kAvx512VnniKernel;
#endif

const std::vector<const Kernel*>& all_kernels() {
  static const std::vector<const Kernel*> kernels = {
#if defined(BRAINQUANT_X86_KERNELS)
    &kAvx512VnniKernel,
    &kAvxVnniKernel,
    &kAvx2Kernel,
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
