// Numbers that come from outside, from a program that records them, are checked before they reach an engine, and logits
// before they leave.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace brainquant {

/// Throws WorkError naming bin (counted from `first_bin`) and feature of the first value that is not finite or whose
/// magnitude is above kLargestMagnitude, `trial` before them ("trial 3: "). `values` [bins, features].
void require_usable_features(std::span<const float> values, std::int64_t features, std::int64_t first_bin,
                             const std::string& trial = "");

/// Throws WorkError naming step (counted from `first_step`) and class of the first of `values` [steps, classes] that is
/// not finite, `trial` before them.
void require_finite_logits(std::span<const float> values, std::int64_t classes, std::int64_t first_step,
                           const std::string& trial = "");

}  // namespace brainquant
