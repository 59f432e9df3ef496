// What GPTQ needs of the 4-bit format.
#pragma once

#include <cstdint>
#include <span>

#include "quantization/calibration_backend.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// The values that the weights of each row can have with the scales that `weight` has.
RoundingGrid grid_of(const Int4Matrix& weight);

/// `codes` [rows, cols], -8 to 7, in place of those that `weight` has.
void set_codes(Int4Matrix& weight, std::span<const std::int8_t> codes);

}  // namespace brainquant
