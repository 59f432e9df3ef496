// The product of 4-bit weights in plain C++, for kernels whose activations are stored as signed bytes. Internal
// linkage, like elementwise.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/kernels/kernel.h"

namespace brainquant {
namespace {

inline void multiply_int4_scalar(const TileArguments& t) {
  for (std::int64_t b = 0; b < t.block_count; ++b) {
    const auto* const block = reinterpret_cast<const std::uint8_t*>(t.weights) + b * t.block_stride;
    const std::uint8_t* scales = t.group_scales + b * t.block_stride;
    std::int64_t left_in_run = t.run_quads - t.run_position;
    for (std::int64_t quad = 0, count; quad < t.quad_count; quad += count, scales += kBlockChannels) {
      count = std::min(left_in_run, kGroupQuads);
      left_in_run = left_in_run == count ? t.run_quads : left_in_run - count;
      for (std::int64_t m = 0; m < t.row_count; ++m) {
        const auto* const x = reinterpret_cast<const std::int8_t*>(t.rows[m] + t.row_offset) + quad * kQuadInputs;
        std::int32_t sums[kBlockChannels] = {};
        for (std::int64_t q = 0; q < count; ++q) {
          const std::uint8_t* const line = block + (quad + q) / kLineQuads * kQuadBytes;
          const int shift = static_cast<int>((quad + q) % kLineQuads * 4);
          for (int c = 0; c < kBlockChannels; ++c) {
            for (int i = 0; i < kQuadInputs; ++i) {
              sums[c] += x[q * kQuadInputs + i] * ((line[c * kQuadInputs + i] >> shift & 15) - 8);
            }
          }
        }
        std::int32_t* const acc = t.acc + m * t.acc_stride + b * kBlockChannels;
        for (int c = 0; c < kBlockChannels; ++c) acc[c] += sums[c] * scales[c];
      }
    }
  }
}

}  // namespace
}  // namespace brainquant
