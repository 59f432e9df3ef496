// What the readers of INT8 and 4-bit weights refuse.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "quantization/quantized_model.h"
#include "quantization/tensor_loader.h"
#include "quantization/usable_product.h"

namespace brainquant {

/// Throws FormatError if a scale is not above 0.
inline void require_positive_scales(const TensorLoader& file, const std::string& name,
                                    const std::vector<float>& scales) {
  if (!std::all_of(scales.begin(), scales.end(), [](float scale) { return scale > 0; })) {
    file.fail(name, "a scale is not above 0");
  }
}

/// Throws FormatError naming the row if a weight's magnitude is above kLargestMagnitude.
inline void require_usable_rows(const TensorLoader& file, const std::string& name, const Int8Matrix& weight) {
  for (std::int64_t r = 0; r < weight.rows; ++r) {
    const float scale = weight.scale(r);
    if (is_usable_product(127, scale)) continue;
    int largest = 0;
    for (std::int64_t c = 0; c < weight.cols; ++c) largest = std::max(largest, std::abs(int{weight.row(r)[c]}));
    if (is_usable_product(largest, scale)) continue;
    file.fail(name, fmt::format("row {}: a weight's magnitude is above {:g}", r, kLargestMagnitude));
  }
}

}  // namespace brainquant
