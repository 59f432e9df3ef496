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
    constexpr std::int64_t quads = lines * kLineQuads;
    for (std::int64_t m = 0; m < t.row_count; ++m) {
      const auto* const x = reinterpret_cast<const std::int8_t*>(t.rows[m] + t.row_offset) + group.quad * kQuadInputs;
      std::int32_t sums[kBlockChannels] = {};
      for (std::int64_t q = 0; q < quads; ++q) {
        const std::uint8_t* const line = group.lines + q / kLineQuads * kQuadBytes;
        const int shift = static_cast<int>(q % kLineQuads * 4);
        for (int c = 0; c < kBlockChannels; ++c) {
          for (int i = 0; i < kQuadInputs; ++i) {
            sums[c] += x[q * kQuadInputs + i] * ((line[c * kQuadInputs + i] >> shift & 15) - 8);
          }
        }
      }
      std::int32_t* const acc = t.acc + m * t.acc_stride + group.block * kBlockChannels;
      for (int c = 0; c < kBlockChannels; ++c) acc[c] += sums[c] * group.scales[c];
    }
  });
}

}  // namespace
}  // namespace brainquant
