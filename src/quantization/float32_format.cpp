// Weights left as they are.
#include "quantization/tensor_loader.h"
#include "quantization/weight_codec.h"

namespace brainquant {

namespace {

WeightMatrix quantize(const Matrix& weight, std::int64_t /*run*/, Granularity /*granularity*/) { return weight; }

Matrix dequantized(const WeightMatrix& weight) { return std::get<Matrix>(weight); }

std::optional<Granularity> granularity_of(const WeightMatrix& /*weight*/) { return std::nullopt; }

std::vector<TensorRecord> records(const std::string& name, const WeightMatrix& weight) {
  const auto& matrix = std::get<Matrix>(weight);
  return {{name, WeightFormat::float32, TensorType::float32, {matrix.rows, matrix.cols}, matrix.values.data()}};
}

WeightMatrix load(TensorLoader& file, const std::string& name, const WeightShape& shape, Granularity /*granularity*/) {
  return Matrix{shape.rows, shape.cols, file.float32(name, {shape.rows, shape.cols})};
}

}  // namespace

constinit const WeightCodec kFloat32Codec = {.format = WeightFormat::float32,
                                             .bits = 32,
                                             .own_record = "",
                                             .stored_as = TensorType::float32,
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
