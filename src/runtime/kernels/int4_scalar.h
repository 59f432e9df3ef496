// The product of 4-bit weights in plain C++, for kernels whose activations are stored as signed bytes. Internal
// linkage, like elementwise.h.
#pragma once

#include <cstdint>

#include "runtime/kernels/int4_groups.h"
#include "runtime/kernels/kernel.h"

namespace brainquant {
namespace {

inline void multiply_int4_scalar(const TileArguments& t) {
  for_each_group(t, [&](Int4Group group, auto lines) {
    for (std::int64_t b = 0; b < t.block_count; ++b) {
      const std::uint8_t* const scales = group.scales + b * t.block_stride;
      for (std::int64_t m = 0; m < t.row_count; ++m) {
        const auto* x = reinterpret_cast<const std::int8_t*>(t.rows[m] + t.row_offset) + group.quad * kQuadInputs;
        std::int32_t sums[kBlockChannels] = {};
        for (int j = 0; j < lines; ++j, x += kLineQuads * kQuadInputs) {
          const std::uint8_t* const line = group.lines + b * t.block_stride + j * kQuadBytes;
          for (int c = 0; c < kBlockChannels; ++c) {
            for (int i = 0; i < kQuadInputs; ++i) {
              const std::uint8_t byte = line[c * kQuadInputs + i];
              sums[c] += x[i] * (static_cast<std::int8_t>(byte << 4) >> 4) +
                         x[kQuadInputs + i] * (static_cast<std::int8_t>(byte) >> 4);
            }
          }
        }
        std::int32_t* const acc = t.acc + m * t.acc_stride + b * kBlockChannels;
        for (int c = 0; c < kBlockChannels; ++c) acc[c] += sums[c] * scales[c];
      }
    }
  });
}

}  // namespace
}  // namespace brainquant
