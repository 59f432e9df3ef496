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
// Below this a largest magnitude / 127 is no normal number and the quotients lose their meaning: the row (or matrix)
// counts as zero.
constexpr float kSmallestLargest = std::numeric_limits<float>::min() * kInt8Max;

float largest_magnitude(const float* values, std::int64_t count) {
  float largest = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
  return largest;
}

float scale_of(const float* values, std::int64_t count) {
  const float maximum = largest_magnitude(values, count);
  return maximum < kSmallestLargest ? 1.0f : maximum / kInt8Max;
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

/// Sum of the squared errors of `weights`, whose largest magnitude is 1, rounded to codes of `scale`.
double squared_error(const std::vector<float>& weights, float scale) {
  constexpr float kToInteger = 0x1.8p23F;  // added and taken off again it rounds to integers, ties to even
  constexpr std::size_t kLanes = 8;        // sums that do not wait for each other
  const float inverse = 1 / scale;
  double sums[kLanes] = {};
  const auto add = [&](std::size_t i, std::size_t lane) {
    const float code = (std::clamp(weights[i] * inverse, -kInt8Max, kInt8Max) + kToInteger) - kToInteger;
    const float error = weights[i] - code * scale;
    sums[lane] += static_cast<double>(error * error);
  };
  std::size_t i = 0;
  for (; i + kLanes <= weights.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  }
  for (std::size_t lane = 0; i < weights.size(); ++i, ++lane) add(i, lane);
  double sum = 0;
  for (const double lane : sums) sum += lane;
  return sum;
}

/// One scale for the whole matrix may clip its largest weights where this makes the sum of squared errors smaller: the
/// first that is best of the largest magnitude's, 1 % less, and so on to 30 % less. A row's own scale gains nothing.
void fit_scales(WeightMatrix& quantized, const Matrix& weight) {
  auto& matrix = std::get<Int8Matrix>(quantized);
  const float largest = largest_magnitude(weight.values.data(), static_cast<std::int64_t>(weight.values.size()));
  const float widest = matrix.scales[0];
  if (matrix.scales.size() != 1 || largest < kSmallestLargest) return;
  std::vector<float> in_units_of_largest(weight.values.size());  // no square overflows, or vanishes
  std::transform(weight.values.begin(), weight.values.end(), in_units_of_largest.begin(),
                 [&](float value) { return value / largest; });
  constexpr int kMostClipped = 30;  // per cent
  double least = std::numeric_limits<double>::infinity();
  for (int clipped = 0; clipped <= kMostClipped; ++clipped) {
    const float part = static_cast<float>(100 - clipped) / 100.0f;
    const double error = squared_error(in_units_of_largest, part / kInt8Max);
    if (error >= least) continue;
    least = error;
    matrix.scales[0] = widest * part;
  }
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
                                          .fit_scales = fit_scales,
                                          .grid = grid_of,
                                          .set_codes = set_codes,
                                          .records = records,
                                          .load = load};

}  // namespace brainquant
