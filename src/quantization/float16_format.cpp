// IEEE binary16: the values, no scales.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "io/half_float.h"
#include "quantization/quantizer.h"
#include "quantization/tensor_loader.h"
#include "quantization/weight_codec.h"

namespace brainquant {

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

float float32_of(std::uint16_t float16_bits) { return float_from_half(float16_bits); }

Float16Matrix quantize_float16(const Matrix& weight) {
  Float16Matrix result{weight.rows, weight.cols, {}};
  result.values.resize(weight.values.size());
  std::transform(weight.values.begin(), weight.values.end(), result.values.begin(), float16_bits);
  return result;
}

namespace {

WeightMatrix quantize(const Matrix& weight, std::int64_t /*run*/, Granularity /*granularity*/) {
  return quantize_float16(weight);
}

Matrix dequantized(const WeightMatrix& weight) {
  const auto& half = std::get<Float16Matrix>(weight);
  Matrix result{half.rows, half.cols, std::vector<float>(half.values.size())};
  std::transform(half.values.begin(), half.values.end(), result.values.begin(), float32_of);
  return result;
}

std::optional<Granularity> granularity_of(const WeightMatrix& /*weight*/) { return std::nullopt; }

std::vector<TensorRecord> records(const std::string& name, const WeightMatrix& weight) {
  const auto& half = std::get<Float16Matrix>(weight);
  return {{name, WeightFormat::float16, TensorType::float16, {half.rows, half.cols}, half.values.data()}};
}

WeightMatrix load(TensorLoader& file, const std::string& name, const WeightShape& shape, Granularity /*granularity*/) {
  Float16Matrix half{shape.rows, shape.cols, file.float16_bits(name, {shape.rows, shape.cols})};
  const auto is_special = [](std::uint16_t bits) { return (bits & 0x7c00u) == 0x7c00u; };
  if (std::any_of(half.values.begin(), half.values.end(), is_special)) file.fail(name, "NaN or infinity");
  return half;
}

}  // namespace

constinit const WeightCodec kFloat16Codec = {.format = WeightFormat::float16,
                                             .bits = 16,
                                             .own_record = "",
                                             .stored_as = TensorType::float16,
                                             .has_scales = false,
                                             .quantize = quantize,
                                             .dequantize = dequantized,
                                             .granularity = granularity_of,
                                             .fit_scales = nullptr,
                                             .grid = nullptr,
                                             .set_codes = nullptr,
                                             .records = records,
                                             .load = load};

}  // namespace brainquant
