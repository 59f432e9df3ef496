// The range that a stored value and its scale may have together.
#pragma once

#include "brainquant/model/config.h"

namespace brainquant {

/// Whether q * scale stays within kLargestMagnitude, up to what rounding a scale adds to weights or features that lie
/// at the limit.
inline bool is_usable_product(int q, float scale) {
  constexpr double kRounding = 1e-5;
  return static_cast<double>(q) * static_cast<double>(scale) <= kLargestMagnitude * (1 + kRounding);
}

}  // namespace brainquant
