#include "quantization/quantized_model.h"

#include <set>

namespace brainquant {

namespace {

template <typename Type>
constexpr WeightFormat format_of_type() {
  return Type::kFormat;
}
template <>
constexpr WeightFormat format_of_type<Matrix>() {
  return WeightFormat::float32;
}

}  // namespace

WeightFormat format_of(const WeightMatrix& weight) {
  return std::visit([]<typename Type>(const Type& /*matrix*/) { return format_of_type<Type>(); }, weight);
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
