// The checks that every INT8 engine makes of a model.
#pragma once

#include <string>
#include <vector>

#include "brainquant/model/config.h"
#include "quantization/weight_format.h"

namespace brainquant {

/// Throws UsageError naming the engine if a weight matrix is not INT8 or a row is too wide for exact int32 sums.
void require_int8(const std::vector<WeightFormat>& formats, const DecoderConfig& config, const std::string& engine);

}  // namespace brainquant
