// Chooses and builds the engine that runs a model.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/model/checkpoint.h"
#include "brainquant/quantization/quantized_model.h"
#include "brainquant/runtime/engine.h"
#include "brainquant/support/option_list.h"

namespace brainquant {

struct EngineOptions {
  std::string engine;   // "reference", "libtorch", "native"; "" is the default for the model's dtype
  std::string kernel;   // the native engine's kernel by name; "": $BRAINQUANT_KERNEL, or the CPU's best
  int threads = 0;      // 0: all cores that this process may use
  int gpu_number = -1;  // -1: CPU; only for fp32 and FP16, by LibTorch

  /// Throws UsageError for an unknown engine or kernel, or a GPU number past those there.
  void validate() const;
  /// `threads`, or the number of cores that this process may use.
  int effective_threads() const;
};

/// The options, each with its flag; they refer to `options`.
OptionList list_options(EngineOptions& options);

/// What would run a model of this dtype (none: the fp32 baseline), without opening it.
struct ResolvedEngine {
  std::string engine;        // as Engine::name()
  std::string instructions;  // as Engine::instructions()
};
/// Throws UsageError as make_engine() does.
ResolvedEngine resolve_engine(std::optional<Dtype> dtype, const EngineOptions& options);

/// The formats of the weight matrices decide: INT8 models run in any engine, FP16 and fp32 ones in "libtorch" only, a
/// mixture in none (UsageError otherwise).
std::unique_ptr<Engine> make_engine(const QuantizedModel& model, const EngineOptions& options);
/// The fp32 model, in "libtorch" only (UsageError otherwise).
std::unique_ptr<Engine> make_engine(const DecoderConfig& config, const DecoderWeights& weights,
                                    const EngineOptions& options);

/// Names that --engine takes.
std::vector<std::string> engine_names();

}  // namespace brainquant
