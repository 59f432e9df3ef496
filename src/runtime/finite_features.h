// Features that come from outside, from a program that records them, are checked before they reach an engine.
#pragma once

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

#include "brainquant/support/error.h"

namespace brainquant {

/// Throws WorkError naming bin (counted from `first_bin`) and feature of the first value that is not finite. `values`
/// [bins, features].
inline void require_finite(std::span<const float> values, std::int64_t features, std::int64_t first_bin) {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  std::uint32_t some_bad = 0;  // without a branch for each value
  for (const float value : values) some_bad |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1U : 0U;
  if (some_bad == 0) return;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    const auto at = static_cast<std::int64_t>(i);
    throw WorkError(fmt::format("bin {}, feature {}: found {}, expected a finite number", first_bin + at / features,
                                at % features, values[i]));
  }
}

}  // namespace brainquant
