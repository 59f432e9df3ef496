// The scales of 4-bit weights.
#pragma once

#include <cstdint>
#include <vector>

#include "quantization/quantized_model.h"

namespace brainquant {

struct Int4RowScales {
  float scale = 1;            // above 0
  std::vector<int> of_group;  // 1 to 15
};

/// The scales with which a row [layout.cols], each weight rounded to its nearest code, has the least sum of squared
/// errors: row scales on a geometric grid, the best group scales for each, and from the best of these Lloyd's iteration
/// (least squares for the row scale given the codes, then codes and group scales given the row scale; Lloyd, Least
/// squares quantization in PCM, 1982). `layout` says cols and run. No product of a code and the scales is above
/// kLargestMagnitude.
Int4RowScales least_squares_scales(const float* row, const Int4Matrix& layout);

}  // namespace brainquant
