// How well each method's file keeps the checkpoint's weights.
#pragma once

#include <filesystem>
#include <span>

#include "brainquant/experiment/experiment.h"

namespace brainquant {

/// Fills MethodOutcome::tensors of the quantized methods that succeeded, from their files and the checkpoint folder
/// `model_path`, while the caller holds their locks. A method whose file cannot be read, or is not what was evaluated
/// or made of the checkpoint that lies there now, gets none, and a warning says so. Throws Interrupted.
void add_tensor_reports(std::span<MethodOutcome> outcomes, const std::filesystem::path& model_path,
                        const RunContext& context);

}  // namespace brainquant
