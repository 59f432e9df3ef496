// From fp32 weights to a quantized model, and how much that changes each tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/support/run_context.h"
#include "model/checkpoint.h"
#include "quantization/calibration_backend.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// INT8 by absolute maximum: scale = max|w| / 127 over the matrix or over each row, q = w / scale rounded to nearest
/// even and clamped to -127..127, zero point 0: real = q * scale. A matrix or row that is all zero gets scale 1; a
/// constant one c gives q = 127 * sign(c).
Int8Matrix quantize_int8(const Matrix& weight, Granularity granularity);

/// 4 bits: for each row the row scale, and for each group of it the group scale, whose errors' squares add up to the
/// least when every weight is rounded to the nearest code (ties to even). `run`: WeightShape::run. A row that is all
/// zero gets scale 1. Scales are bounded so that no weight comes out beyond kLargestMagnitude.
Int4Matrix quantize_int4(const Matrix& weight, std::int64_t run);

/// IEEE binary16 by round to nearest even; magnitudes above 65504 become 65504.
Float16Matrix quantize_float16(const Matrix& weight);
std::uint16_t float16_bits(float value);
float float32_of(std::uint16_t float16_bits);

/// The fp32 matrix that a stored weight stands for.
Matrix dequantize(const WeightMatrix& weight);

/// (W - I) transposed, [output feature, input feature].
Matrix day_residual(const Matrix& day_weight);

/// Quantizes every weight matrix. `scales` (static types only), `hessians` (GPTQ only) and what lies between come from
/// calibrate(). Throws UsageError where they don't fit the options, WorkError, Interrupted.
QuantizedModel quantize(const Checkpoint& checkpoint, const QuantizationOptions& options,
                        std::optional<ActivationScales> scales = {}, std::vector<std::string> calibration_trials = {},
                        std::optional<std::string> calibration_sha256 = {},
                        std::optional<std::string> libtorch_version = {}, InputHessians hessians = {},
                        const RunContext& context = {});

}  // namespace brainquant
