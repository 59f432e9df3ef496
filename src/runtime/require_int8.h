// What every INT8 engine asks of a model, and how it takes its weights.
#pragma once

#include <string>
#include <vector>

#include "brainquant/model/config.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// Whether weights of this format are INT8 to an engine: as they are, or once they are expanded (4 bits).
bool runs_as_int8(WeightFormat format);

/// Throws UsageError naming the engine if a weight matrix does not run as INT8 or a row is too wide for exact int32
/// sums.
void require_int8(const std::vector<WeightFormat>& formats, const DecoderConfig& config, const std::string& engine);

/// The INT8 matrix that a weight is or is expanded to. Its format must run as INT8.
Int8Matrix int8_of(const WeightMatrix& weight);

}  // namespace brainquant
