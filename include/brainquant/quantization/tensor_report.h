// The tensors of a quantized model as its user sees them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace brainquant {

/// One stored tensor, or a group of them (all day layers), as the user sees it.
struct TensorReport {
  std::string name;  // "gru.weight_ih_l0", "day_weights (45)"
  std::int64_t parameters = 0;
  int bits = 32;
  std::string granularity;  // "per_tensor", "per_channel", "-"
  std::int64_t bytes = 0;   // values and scales
  /// 10 log10(sum of w^2 / sum of (w - dequantized)^2); infinity when nothing was lost.
  double sqnr_db = 0;
};

/// The smallest and the largest of a matrix's scales.
struct ScaleRange {
  float min = 0;
  float max = 0;
};

/// A tensor of the file as it lies on disk.
struct StoredTensor {
  std::string name;
  std::string dtype;  // "int8", "float16", "float32"
  std::vector<std::int64_t> shape;
  std::int64_t bytes = 0;
  std::optional<ScaleRange> scales = {};  // of a tensor of scales
};

}  // namespace brainquant
