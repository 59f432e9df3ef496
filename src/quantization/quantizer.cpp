#include "brainquant/quantization/quantizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "brainquant/model/libtorch_environment.h"
#include "brainquant/support/error.h"
#include "brainquant/version.h"

namespace brainquant {

namespace {

constexpr float kInt8Max = 127.0f;

float scale_of(const float* values, std::int64_t count) {
  float maximum = 0;
  for (std::int64_t i = 0; i < count; ++i) maximum = std::max(maximum, std::fabs(values[i]));
  // Below this, maximum / 127 is no normal number and the quotients lose their meaning: the row counts as zero.
  return maximum < std::numeric_limits<float>::min() * kInt8Max ? 1.0f : maximum / kInt8Max;
}

void quantize_values(const float* values, std::int64_t count, float scale, std::int8_t* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float q = std::nearbyint(values[i] / scale);
    out[i] = static_cast<std::int8_t>(std::clamp(q, -kInt8Max, kInt8Max));
  }
}

WeightMatrix quantize_weight(const Matrix& weight, const QuantizationOptions& options) {
  if (options.dtype == Dtype::float16) return quantize_float16(weight);
  return quantize_int8(weight, options.effective_granularity());
}

}  // namespace

std::int64_t rows_of(const WeightMatrix& weight) {
  return std::visit([](const auto& matrix) { return matrix.rows; }, weight);
}
std::int64_t cols_of(const WeightMatrix& weight) {
  return std::visit([](const auto& matrix) { return matrix.cols; }, weight);
}

Int8Matrix quantize_int8(const Matrix& weight, Granularity granularity) {
  Int8Matrix result{weight.rows, weight.cols, {}, {}};
  result.values.resize(weight.values.size());
  if (granularity == Granularity::per_tensor) {
    result.scales = {scale_of(weight.values.data(), static_cast<std::int64_t>(weight.values.size()))};
  } else {
    for (std::int64_t r = 0; r < weight.rows; ++r) result.scales.push_back(scale_of(weight.row(r), weight.cols));
  }
  for (std::int64_t r = 0; r < weight.rows; ++r) {
    quantize_values(weight.row(r), weight.cols, result.scale(r), result.values.data() + r * weight.cols);
  }
  return result;
}

std::uint16_t float16_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);  // NaN
  if (magnitude > 0x477fe000u) return static_cast<std::uint16_t>(sign | 0x7bffu);  // above 65504
  if (magnitude >= 0x38800000u) {  // at least 2^-14: a normal number; add half of the last place, ties to even
    const std::uint32_t rebased = magnitude - (112u << 23);
    return static_cast<std::uint16_t>(sign | ((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13));
  }
  // A subnormal is a multiple of 2^-24; the product is exact and nearbyint rounds ties to even.
  const float steps = std::nearbyint(std::fabs(value) * 16777216.0f);
  return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(steps));
}

float float32_of(std::uint16_t float16_bits) {
  const int exponent = (float16_bits >> 10) & 31;
  const int fraction = float16_bits & 1023;
  float magnitude;
  if (exponent == 31) {
    magnitude = fraction ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  }
  return float16_bits & 0x8000 ? -magnitude : magnitude;
}

Float16Matrix quantize_float16(const Matrix& weight) {
  Float16Matrix result{weight.rows, weight.cols, {}};
  result.values.resize(weight.values.size());
  std::transform(weight.values.begin(), weight.values.end(), result.values.begin(), float16_bits);
  return result;
}

Matrix dequantize(const WeightMatrix& weight) {
  if (const auto* matrix = std::get_if<Matrix>(&weight)) return *matrix;
  Matrix result{rows_of(weight), cols_of(weight), {}};
  result.values.resize(static_cast<std::size_t>(result.rows * result.cols));
  if (const auto* half = std::get_if<Float16Matrix>(&weight)) {
    std::transform(half->values.begin(), half->values.end(), result.values.begin(), float32_of);
    return result;
  }
  const auto& quantized = std::get<Int8Matrix>(weight);
  for (std::int64_t r = 0; r < result.rows; ++r) {
    const float scale = quantized.scale(r);
    const std::int8_t* q = quantized.row(r);
    float* out = result.row(r);
    for (std::int64_t c = 0; c < result.cols; ++c) out[c] = static_cast<float>(q[c]) * scale;
  }
  return result;
}

Matrix day_residual(const Matrix& day_weight) {
  Matrix result{day_weight.cols, day_weight.rows, {}};
  result.values.resize(day_weight.values.size());
  constexpr std::int64_t kTile = 32;  // transposed by tiles: a column at a time misses the cache at every value
  for (std::int64_t r0 = 0; r0 < day_weight.rows; r0 += kTile) {
    for (std::int64_t c0 = 0; c0 < day_weight.cols; c0 += kTile) {
      for (std::int64_t r = r0; r < std::min(r0 + kTile, day_weight.rows); ++r) {
        for (std::int64_t c = c0; c < std::min(c0 + kTile, day_weight.cols); ++c) {
          result.row(c)[r] = day_weight.row(r)[c] - (r == c ? 1.0f : 0.0f);
        }
      }
    }
  }
  return result;
}

QuantizedModel quantize(const Checkpoint& checkpoint, const QuantizationOptions& options,
                        std::optional<ActivationScales> scales, std::vector<std::string> calibration_trials,
                        std::optional<std::string> calibration_sha256) {
  options.validate();
  if (options.is_static() != scales.has_value()) {
    throw UsageError(
        fmt::format("{} {} activation scales", options.method_name(), options.is_static() ? "needs" : "takes no"));
  }
  const DecoderWeights& weights = checkpoint.weights;
  QuantizedModel model;
  model.config = checkpoint.config;
  model.options = options;
  model.provenance.tool_version = kVersion;
  model.provenance.source_sha256 = checkpoint.sha256;
  model.provenance.args_sha256 = checkpoint.args_sha256;
  if (options.is_static()) model.provenance.libtorch_version = libtorch_version();
  model.provenance.calibration_trials = std::move(calibration_trials);
  model.provenance.calibration_sha256 = std::move(calibration_sha256);
  model.provenance.val_per = checkpoint.val_per;
  if (options.day_layers == DayLayers::keep_float) {
    model.day_weights = weights.day_weights;
  } else {
    for (const Matrix& day : weights.day_weights) {
      model.day_residuals.push_back(quantize_weight(day_residual(day), options));
    }
  }
  model.day_biases = weights.day_biases;
  for (const GruLayerWeights& layer : weights.gru) {
    model.gru.push_back({quantize_weight(layer.weight_ih, options), quantize_weight(layer.weight_hh, options),
                         layer.bias_ih, layer.bias_hh});
  }
  model.out_weight = quantize_weight(weights.out_weight, options);
  model.out_bias = weights.out_bias;
  model.h0 = weights.h0;
  model.activation_scales = std::move(scales);
  return model;
}

}  // namespace brainquant
