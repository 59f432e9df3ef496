// The checks that every INT8 engine makes of a model.
#pragma once

#include <string>

#include "quantization/quantized_model.h"

namespace brainquant {

/// Throws UsageError naming the engine if a weight matrix is not INT8 or a row is too wide for exact int32 sums.
void require_int8(const QuantizedModel& model, const std::string& engine);

}  // namespace brainquant
