// 4 bits with a scale for each group of inputs and one for each row: real = code * group_scale * row_scale.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "quantization/checked_weights.h"
#include "quantization/int4_scales.h"
#include "quantization/quantizer.h"
#include "quantization/tensor_loader.h"
#include "quantization/weight_codec.h"

namespace brainquant {

namespace {

/// The distance between two neighbouring values of a weight; exact, as 24 and 4 bits fit into a double.
double step_of(const Int4Matrix& weight, std::int64_t row, std::int64_t group) {
  return static_cast<double>(weight.group_scale(row, group)) * weight.scales[static_cast<std::size_t>(row)];
}

}  // namespace

Int8Matrix expanded(const Int4Matrix& weight) {
  Int8Matrix result{weight.rows, weight.cols, {}, weight.scales};
  result.values.reserve(static_cast<std::size_t>(weight.rows * weight.cols));
  for (std::int64_t r = 0; r < weight.rows; ++r) {
    for (std::int64_t c = 0; c < weight.cols; ++c) {
      result.values.push_back(static_cast<std::int8_t>(weight.code(r, c) * weight.group_scale(r, weight.group_of(c))));
    }
  }
  return result;
}

namespace {

RoundingGrid grid_of(const WeightMatrix& of) {
  const auto& weight = std::get<Int4Matrix>(of);
  RoundingGrid grid;
  grid.lowest = Int4Matrix::kLowestCode;
  grid.highest = Int4Matrix::kHighestCode;
  for (std::int64_t c = 0; c < weight.cols; ++c) grid.group_of.push_back(weight.group_of(c));
  grid.groups = weight.groups();
  for (std::int64_t r = 0; r < weight.rows; ++r) {
    for (std::int64_t g = 0; g < weight.groups(); ++g) grid.steps.push_back(step_of(weight, r, g));
  }
  return grid;
}

void set_codes(WeightMatrix& of, const std::vector<std::int8_t>& codes) {
  auto& weight = std::get<Int4Matrix>(of);
  weight.codes.assign(static_cast<std::size_t>(weight.rows * weight.code_row_bytes()), 0);
  for (std::int64_t r = 0; r < weight.rows; ++r) {
    std::uint8_t* row = weight.codes.data() + r * weight.code_row_bytes();
    for (std::int64_t c = 0; c < weight.cols; ++c) {
      Int4Matrix::set_nibble(row, c, codes[static_cast<std::size_t>(r * weight.cols + c)] - Int4Matrix::kLowestCode);
    }
  }
}

}  // namespace

Int4Matrix quantize_int4(const Matrix& weight, std::int64_t run) {
  Int4Matrix result;
  result.rows = weight.rows;
  result.cols = weight.cols;
  result.run = run;
  result.group_scales.assign(static_cast<std::size_t>(result.rows * result.group_row_bytes()), 0);
  std::vector<std::int8_t> codes;
  codes.reserve(weight.values.size());
  for (std::int64_t r = 0; r < result.rows; ++r) {
    const Int4RowScales scales = least_squares_scales(weight.row(r), result);
    result.scales.push_back(scales.scale);
    std::uint8_t* row = result.group_scales.data() + r * result.group_row_bytes();
    for (std::int64_t g = 0; g < result.groups(); ++g) {
      Int4Matrix::set_nibble(row, g, scales.of_group[static_cast<std::size_t>(g)]);
    }
    for (std::int64_t c = 0; c < result.cols; ++c) {
      const double code = std::nearbyint(weight.row(r)[c] / step_of(result, r, result.group_of(c)));
      codes.push_back(
          static_cast<std::int8_t>(std::clamp<double>(code, Int4Matrix::kLowestCode, Int4Matrix::kHighestCode)));
    }
  }
  WeightMatrix coded = std::move(result);
  set_codes(coded, codes);
  return std::get<Int4Matrix>(std::move(coded));
}

namespace {

WeightMatrix quantize(const Matrix& weight, std::int64_t run, Granularity /*granularity*/) {
  return quantize_int4(weight, run);
}

Matrix dequantized(const WeightMatrix& weight) {
  const Int8Matrix values = expanded(std::get<Int4Matrix>(weight));
  return kInt8Codec.dequantize(values);
}

std::optional<Granularity> granularity_of(const WeightMatrix& /*weight*/) { return Granularity::per_channel; }

std::string group_scales_of(const std::string& name) { return name + ".group_scales"; }
std::string scales_of(const std::string& name) { return name + ".scale"; }

std::vector<TensorRecord> records(const std::string& name, const WeightMatrix& weight) {
  const auto& quantized = std::get<Int4Matrix>(weight);
  return {{name + kInt4Codec.own_record,
           WeightFormat::int4,
           TensorType::uint8,
           {quantized.rows, quantized.code_row_bytes()},
           quantized.codes.data()},
          {group_scales_of(name),
           WeightFormat::int4,
           TensorType::uint8,
           {quantized.rows, quantized.group_row_bytes()},
           quantized.group_scales.data()},
          float32_record(scales_of(name), quantized.scales)};
}

/// A byte's second nibble that belongs to no value, where a row has an odd number of them, is 0: a model has one file.
void require_zero_padding(const TensorLoader& file, const std::string& name, const std::vector<std::uint8_t>& nibbles,
                          std::int64_t row_bytes, std::int64_t count) {
  if (count % 2 == 0) return;
  for (std::size_t end = static_cast<std::size_t>(row_bytes); end <= nibbles.size();
       end += static_cast<std::size_t>(row_bytes)) {
    if (nibbles[end - 1] >> 4 != 0) file.fail(name, "a nibble of padding is not 0");
  }
}

WeightMatrix load(TensorLoader& file, const std::string& name, const WeightShape& shape, Granularity /*granularity*/) {
  Int4Matrix quantized;
  quantized.rows = shape.rows;
  quantized.cols = shape.cols;
  quantized.run = shape.run;
  const std::string codes = name + kInt4Codec.own_record;
  quantized.codes = file.nibbles(codes, {shape.rows, quantized.code_row_bytes()});
  require_zero_padding(file, codes, quantized.codes, quantized.code_row_bytes(), shape.cols);
  quantized.group_scales = file.nibbles(group_scales_of(name), {shape.rows, quantized.group_row_bytes()});
  require_zero_padding(file, group_scales_of(name), quantized.group_scales, quantized.group_row_bytes(),
                       quantized.groups());
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    for (std::int64_t g = 0; g < quantized.groups(); ++g) {
      if (quantized.group_scale(r, g) > 0) continue;
      file.fail(group_scales_of(name),
                fmt::format("row {}, group {}: found 0, expected 1 to {}", r, g, Int4Matrix::kLargestGroupScale));
    }
  }
  quantized.scales = file.float32(scales_of(name), {shape.rows}, "4-bit weights have a scale for each row");
  require_positive_scales(file, scales_of(name), quantized.scales);
  const auto usable_whatever_the_code = [](float s) {
    return is_usable_product(-Int4Matrix::kLowestCode * Int4Matrix::kLargestGroupScale, s);
  };
  if (std::all_of(quantized.scales.begin(), quantized.scales.end(), usable_whatever_the_code)) return quantized;
  require_usable_rows(file, codes, expanded(quantized));
  return quantized;
}

}  // namespace

constinit const WeightCodec kInt4Codec = {.format = WeightFormat::int4,
                                          .bits = 4,
                                          .own_record = ".codes",
                                          .stored_as = TensorType::uint8,
                                          .has_scales = true,
                                          .quantize = quantize,
                                          .dequantize = dequantized,
                                          .granularity = granularity_of,
                                          .fit_scales = nullptr,
                                          .grid = grid_of,
                                          .set_codes = set_codes,
                                          .records = records,
                                          .load = load};

}  // namespace brainquant
