// How well each method's file keeps the checkpoint's weights.
#pragma once

#include <filesystem>
#include <span>

#include "brainquant/experiment/experiment.h"

namespace brainquant {

/// Fills MethodOutcome::tensors of the quantized methods that succeeded, from their files and the checkpoint folder
/// `model_path`, while the caller holds their locks. Ends with a warning at a file that cannot be read, or that was
/// made of another checkpoint than lies there now. Throws Interrupted.
void add_tensor_reports(std::span<MethodOutcome> outcomes, const std::filesystem::path& model_path,
                        const RunContext& context);

}  // namespace brainquant
