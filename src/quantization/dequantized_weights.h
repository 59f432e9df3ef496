// A quantized model as an fp32 decoder runs it.
#pragma once

#include "model/decoder_weights.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// The fp32 parameters that a quantized model stands for, whatever the formats of its matrices.
DecoderWeights dequantized_weights(const QuantizedModel& model);

}  // namespace brainquant
