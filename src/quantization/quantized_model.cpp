#include "brainquant/quantization/quantized_model.h"

#include <set>

namespace brainquant {

namespace {

// Without an overload of its own, a new alternative of WeightMatrix does not compile.
constexpr WeightFormat format_of_type(const Matrix& /*weight*/) { return WeightFormat::float32; }
constexpr WeightFormat format_of_type(const Float16Matrix& /*weight*/) { return WeightFormat::float16; }
constexpr WeightFormat format_of_type(const Int8Matrix& /*weight*/) { return WeightFormat::int8; }

}  // namespace

WeightFormat format_of(const WeightMatrix& weight) {
  return std::visit([](const auto& matrix) { return format_of_type(matrix); }, weight);
}
std::int64_t rows_of(const WeightMatrix& weight) {
  return std::visit([](const auto& matrix) { return matrix.rows; }, weight);
}
std::int64_t cols_of(const WeightMatrix& weight) {
  return std::visit([](const auto& matrix) { return matrix.cols; }, weight);
}

std::vector<WeightFormat> QuantizedModel::weight_formats() const {
  std::set<WeightFormat> formats = {format_of(out_weight)};
  for (const WeightMatrix& residual : day_residuals) formats.insert(format_of(residual));
  for (const QuantizedGruLayer& layer : gru) {
    formats.insert(format_of(layer.weight_ih));
    formats.insert(format_of(layer.weight_hh));
  }
  return {formats.begin(), formats.end()};
}

}  // namespace brainquant
