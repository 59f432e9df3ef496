// docs/numerics.md in scalar code: the definition that the reference engine runs and every kernel must equal. Kernels
// compiled for newer instructions must include only the constants' part, kernel_constants.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "runtime/kernel_constants.h"

namespace brainquant::numerics {

/// False if a value is NaN or infinite. Overflow ends in NaN sooner or later, and a NaN would be lost where it is
/// quantized: engines look for one in the day layer's outputs and in the hidden states, where it then stays.
inline bool all_finite(const float* values, std::int64_t count) {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  constexpr std::int64_t kBlock = 16;  // a trip count known to the compiler makes the inner loop vector code
  const auto is_special = [](float value) { return (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent; };
  std::uint32_t special[kBlock] = {};
  const std::int64_t in_blocks = count - count % kBlock;
  for (std::int64_t i = 0; i < in_blocks; i += kBlock) {
    for (std::int64_t k = 0; k < kBlock; ++k) special[k] |= is_special(values[i + k]) ? 1U : 0U;
  }
  for (std::int64_t i = in_blocks; i < count; ++i) special[0] |= is_special(values[i]) ? 1U : 0U;
  return std::all_of(special, special + kBlock, [](std::uint32_t any) { return any == 0; });
}

/// Scale of one row, and what its values are multiplied with before rounding.
struct RowScale {
  float scale = 1;
  float inverse = 0;
};

inline RowScale dynamic_row_scale(float maximum) {
  if (maximum < kSmallestRowMaximum) return {1.0f, 0.0f};
  return {maximum / 127.0f, 127.0f / maximum};
}

inline RowScale static_row_scale(float scale) { return {scale, 1.0f / scale}; }

inline std::int8_t quantize(float value, float inverse) {
  const float scaled = std::min(std::max(-127.0f, value * inverse), 127.0f);  // NaN: -127
  return static_cast<std::int8_t>(std::nearbyint(scaled));
}

inline float affine(std::int32_t acc, float row_scale, float weight_scale, float bias) {
  const float scale = row_scale * weight_scale;
  return static_cast<float>(acc) * scale + bias;
}

inline float softsign(float v) { return v / (1.0f + std::fabs(v)); }

inline float tanh(float value) {
  const float x = std::min(std::max(value, -kTanhLimit), kTanhLimit);
  const float u = x * x;
  const float p = ((kTanhP3 * u + kTanhP2) * u + kTanhP1) * u + kTanhP0;
  const float q = (((kTanhQ4 * u + kTanhQ3) * u + kTanhQ2) * u + kTanhQ1) * u + 1.0f;
  return (x * p) / q;
}

inline float sigmoid(float value) { return 0.5f * tanh(0.5f * value) + 0.5f; }

inline float updated_state(float gi_r, float gi_z, float gi_n, float gh_r, float gh_z, float gh_n, float h) {
  const float r = sigmoid(gi_r + gh_r);
  const float z = sigmoid(gi_z + gh_z);
  const float n = tanh(gi_n + r * gh_n);
  return n + z * (h - n);
}

}  // namespace brainquant::numerics
