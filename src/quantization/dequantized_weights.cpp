#include "quantization/dequantized_weights.h"

#include "quantization/quantizer.h"

namespace brainquant {

DecoderWeights dequantized_weights(const QuantizedModel& model) {
  DecoderWeights weights;
  weights.day_weights = model.day_weights;
  for (const WeightMatrix& residual : model.day_residuals) {
    const Matrix stored = dequantize(residual);  // (W - I) transposed
    Matrix day{stored.cols, stored.rows, std::vector<float>(stored.values.size())};
    for (std::int64_t r = 0; r < stored.rows; ++r) {
      for (std::int64_t c = 0; c < stored.cols; ++c) day.row(c)[r] = stored.row(r)[c] + (r == c ? 1.0f : 0.0f);
    }
    weights.day_weights.push_back(std::move(day));
  }
  weights.day_biases = model.day_biases;
  for (const QuantizedGruLayer& layer : model.gru) {
    weights.gru.push_back({dequantize(layer.weight_ih), dequantize(layer.weight_hh), layer.bias_ih, layer.bias_hh});
  }
  weights.out_weight = dequantize(model.out_weight);
  weights.out_bias = model.out_bias;
  weights.h0 = model.h0;
  return weights;
}

}  // namespace brainquant
