// The parameters of a GRU decoder in fp32, in PyTorch's layout.
#pragma once

#include <cstdint>
#include <vector>

namespace brainquant {

/// Row-major [rows, cols].
struct Matrix {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<float> values;

  float* row(std::int64_t r) { return values.data() + r * cols; }
  const float* row(std::int64_t r) const { return values.data() + r * cols; }
};

/// One layer of torch.nn.GRU; the 3 * n_units rows are the gates r, z, n in this order.
struct GruLayerWeights {
  Matrix weight_ih;            // [3 * n_units, input size]
  Matrix weight_hh;            // [3 * n_units, n_units]
  std::vector<float> bias_ih;  // [3 * n_units]
  std::vector<float> bias_hh;  // [3 * n_units]
};

struct DecoderWeights {
  std::vector<Matrix> day_weights;             // per session [n_input_features, n_input_features]; y = x @ W + b
  std::vector<std::vector<float>> day_biases;  // per session [n_input_features]
  std::vector<GruLayerWeights> gru;            // per layer
  Matrix out_weight;                           // [n_classes, n_units]
  std::vector<float> out_bias;                 // [n_classes]
  std::vector<float> h0;                       // [n_units], initial state of every layer
};

}  // namespace brainquant
