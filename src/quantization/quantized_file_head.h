// Parts of a quantized file's pickle.
#pragma once

#include <cstdint>

#include "io/pickle.h"
#include "quantization/quantized_file.h"

namespace brainquant {

/// Everything but tensors and activation scales. Throws FormatError naming the field.
QuantizedFileHead read_head(const PickleField& root);

/// Of a model with so many layers. Throws FormatError naming the field.
ActivationScales read_activation_scales(const PickleField& field, std::int64_t layers);

}  // namespace brainquant
