// The check that every number from outside passes before it is computed with.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "brainquant/model/config.h"

namespace brainquant {

/// Whether no magnitude is above kLargestMagnitude, infinite or NaN.
inline bool all_usable(std::span<const float> values) {
  // As integers, magnitudes are in order, infinity and NaN above all others.
  constexpr auto kLargest = std::bit_cast<std::int32_t>(kLargestMagnitude);
  constexpr std::size_t kBlock = 16;  // a trip count known to the compiler makes the inner loop vector code
  const auto magnitude = [](float value) { return std::bit_cast<std::int32_t>(value) & 0x7fffffff; };
  std::int32_t beyond[kBlock] = {};
  const std::size_t in_blocks = values.size() - values.size() % kBlock;
  for (std::size_t i = 0; i < in_blocks; i += kBlock) {
    for (std::size_t k = 0; k < kBlock; ++k) beyond[k] |= magnitude(values[i + k]) > kLargest ? 1 : 0;
  }
  for (std::size_t i = in_blocks; i < values.size(); ++i) beyond[0] |= magnitude(values[i]) > kLargest ? 1 : 0;
  return std::all_of(beyond, beyond + kBlock, [](std::int32_t any) { return any == 0; });
}

}  // namespace brainquant
