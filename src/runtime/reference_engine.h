// The definition of the INT8 results (docs/numerics.md), one value at a time. Slow and plain on purpose.
#pragma once

#include <memory>

#include "brainquant/runtime/engine.h"
#include "quantization/quantized_model.h"

namespace brainquant {

inline constexpr const char* kReferenceInstructions = "scalar";

/// Throws UsageError if a weight is neither INT8 nor 4 bits, or a row is too wide for int32 sums.
std::unique_ptr<Engine> make_reference_engine(const QuantizedModel& model);

/// y = softsign(x @ W + b) with a day layer left in fp32, summed in the order that docs/numerics.md gives. x, y
/// [n_input_features].
void float_day_layer(const Matrix& weight, const std::vector<float>& bias, const float* x, float* y);

}  // namespace brainquant
