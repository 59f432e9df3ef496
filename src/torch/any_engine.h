// Chooses and builds the engine that runs a model: one of the runtime's own, or one on LibTorch.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "brainquant/runtime/engine.h"
#include "brainquant/runtime/engine_options.h"
#include "model/checkpoint.h"
#include "quantization/quantized_file.h"

namespace brainquant {

/// What would run a model of this dtype (none: the fp32 baseline), without opening it.
struct ResolvedEngine {
  std::string engine;        // as Engine::name()
  std::string instructions;  // as Engine::instructions()
};
/// Throws UsageError as make_engine() does.
ResolvedEngine resolve_engine(std::optional<Dtype> dtype, const EngineOptions& options);

/// Whether models of this dtype (none: the fp32 baseline) can use a GPU; the others run on the CPU whatever is asked.
bool runs_on_gpu(std::optional<Dtype> dtype);

/// The formats of the weight matrices decide: models of INT8 and 4-bit matrices, mixed or not, run in any engine, FP16
/// and fp32 ones in "libtorch" only, other mixtures in none (UsageError otherwise). Throws UsageError as
/// EngineOptions::validate() does, and for a GPU number past those there.
std::unique_ptr<Engine> make_engine(const QuantizedModel& model, const EngineOptions& options);
/// The same for an open file; only what the native engine runs is read matrix by matrix.
std::unique_ptr<Engine> make_engine(const QuantizedFileReader& file, const EngineOptions& options,
                                    const RunContext& context = {});
/// The fp32 model, in "libtorch" only (UsageError otherwise).
std::unique_ptr<Engine> make_engine(const DecoderConfig& config, const DecoderWeights& weights,
                                    const EngineOptions& options);

}  // namespace brainquant
