// What can be asked of an engine.
#pragma once

#include <string>
#include <vector>

#include "brainquant/support/option_list.h"

namespace brainquant {

struct EngineOptions {
  std::string engine;   // "reference", "libtorch", "native"; "" is the default for the model's dtype
  std::string kernel;   // the native engine's kernel by name; "": $BRAINQUANT_KERNEL, or the CPU's best
  int threads = 0;      // 0: all cores that this process may use
  int gpu_number = -1;  // -1: CPU; only for fp32 and FP16, by LibTorch

  /// Throws UsageError for an unknown engine or kernel.
  void validate() const;
  /// `threads`, or the number of cores that this process may use.
  int effective_threads() const;
};

/// The options, each with its flag; they refer to `options`.
OptionList list_options(EngineOptions& options);

/// Names that --engine takes.
std::vector<std::string> engine_names();

}  // namespace brainquant
