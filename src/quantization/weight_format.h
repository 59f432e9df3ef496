// The number formats that a weight matrix can be stored in. Each matrix has its own; what a format is, its codec says
// (src/quantization/weight_codec.h).
#pragma once

#include <string>

#include "brainquant/quantization/scheme.h"
#include "brainquant/support/enum_names.h"

namespace brainquant {

enum class WeightFormat { float32, float16, int8, int4 };

// Names as in a quantized file's `formats`: "float32" "float16" "int8" "int4". parse_weight_format throws UsageError on
// any other name.
template <>
std::span<const EnumName<WeightFormat>> enum_names();
std::string name_of(WeightFormat value);
WeightFormat parse_weight_format(const std::string& name);

/// The format that a dtype asks for, which not every matrix need have.
WeightFormat format_of(Dtype dtype);
/// The format that the options ask for of the weight matrix of this name ("out.weight"): the output layer, whose errors
/// no later layer can make up for, stays INT8 where the others have 4 bits.
WeightFormat format_of(const QuantizationOptions& options, const std::string& name);

}  // namespace brainquant
