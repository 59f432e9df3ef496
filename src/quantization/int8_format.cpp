// INT8 with a scale for the matrix or for each row: real = q * scale, zero point 0.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "quantization/checked_weights.h"
#include "quantization/quantizer.h"
#include "quantization/tensor_loader.h"
#include "quantization/weight_codec.h"

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

}  // namespace

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

namespace {

WeightMatrix quantize(const Matrix& weight, std::int64_t /*run*/, Granularity granularity) {
  return quantize_int8(weight, granularity);
}

Matrix dequantized(const WeightMatrix& weight) {
  const auto& quantized = std::get<Int8Matrix>(weight);
  Matrix result{quantized.rows, quantized.cols, std::vector<float>(quantized.values.size())};
  for (std::int64_t r = 0; r < result.rows; ++r) {
    const float scale = quantized.scale(r);
    const std::int8_t* q = quantized.row(r);
    float* out = result.row(r);
    for (std::int64_t c = 0; c < result.cols; ++c) out[c] = static_cast<float>(q[c]) * scale;
  }
  return result;
}

std::optional<Granularity> granularity_of(const WeightMatrix& weight) {
  return std::get<Int8Matrix>(weight).scales.size() == 1 ? Granularity::per_tensor : Granularity::per_channel;
}

RoundingGrid grid_of(const WeightMatrix& of) {
  const auto& weight = std::get<Int8Matrix>(of);
  RoundingGrid grid;
  grid.lowest = -static_cast<int>(kInt8Max);
  grid.highest = static_cast<int>(kInt8Max);
  grid.groups = 1;
  grid.group_of.assign(static_cast<std::size_t>(weight.cols), 0);
  for (std::int64_t r = 0; r < weight.rows; ++r) grid.steps.push_back(weight.scale(r));
  return grid;
}

void set_codes(WeightMatrix& weight, const std::vector<std::int8_t>& codes) {
  std::get<Int8Matrix>(weight).values = codes;
}

std::string scales_of(const std::string& name) { return name + ".scale"; }

std::vector<TensorRecord> records(const std::string& name, const WeightMatrix& weight) {
  const auto& quantized = std::get<Int8Matrix>(weight);
  return {{name, WeightFormat::int8, TensorType::int8, {quantized.rows, quantized.cols}, quantized.values.data()},
          float32_record(scales_of(name), quantized.scales)};
}

WeightMatrix load(TensorLoader& file, const std::string& name, const WeightShape& shape, Granularity granularity) {
  Int8Matrix quantized{shape.rows, shape.cols, file.int8(name, {shape.rows, shape.cols}), {}};
  if (std::find(quantized.values.begin(), quantized.values.end(), -128) != quantized.values.end()) {
    file.fail(name, "found -128, expected values from -127 to 127");
  }
  const std::int64_t scale_count = granularity == Granularity::per_tensor ? 1 : shape.rows;
  quantized.scales = file.float32(scales_of(name), {scale_count}, "the weights are " + name_of(granularity));
  require_positive_scales(file, scales_of(name), quantized.scales);
  require_usable_rows(file, name, quantized);
  return quantized;
}

}  // namespace

constinit const WeightCodec kInt8Codec = {.format = WeightFormat::int8,
                                          .bits = 8,
                                          .own_record = "",
                                          .stored_as = TensorType::int8,
                                          .has_scales = true,
                                          .quantize = quantize,
                                          .dequantize = dequantized,
                                          .granularity = granularity_of,
                                          .grid = grid_of,
                                          .set_codes = set_codes,
                                          .records = records,
                                          .load = load};

}  // namespace brainquant
