// The walk over a tile of 4-bit weights, group by group. Internal linkage, like elementwise.h.
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/kernels/kernel.h"

namespace brainquant {
namespace {

/// One group of a tile's first block; what it is of block b lies b * block_stride bytes further on.
struct Int4Group {
  const std::uint8_t* lines;   // its first line
  const std::uint8_t* scales;  // [16]
  std::int64_t quad;           // its first k quad in the tile
};

/// Calls visit(group, lines) for each group of the tile; `lines` is a std::integral_constant of its lines, 4, or the 2
/// of the 4 k quads at the end of a run.
template <typename Visit>
inline __attribute__((always_inline)) void for_each_group(const TileArguments& t, const Visit& visit) {
  const std::int64_t quad_count = t.quad_count;
  const std::int64_t run_quads = t.run_quads;
  const auto* lines = reinterpret_cast<const std::uint8_t*>(t.weights);
  const std::uint8_t* scales = t.group_scales;
  std::int64_t left_in_run = run_quads - t.run_position;
  for (std::int64_t quad = 0; quad < quad_count; scales += kBlockChannels) {
    std::int64_t count = kGroupQuads;
    if (left_in_run >= kGroupQuads) {
      visit(Int4Group{lines, scales, quad}, std::integral_constant<int, 4>());
    } else {
      count = kGroupQuads / 2;
      visit(Int4Group{lines, scales, quad}, std::integral_constant<int, 2>());
    }
    left_in_run = left_in_run == count ? run_quads : left_in_run - count;
    lines += count / kLineQuads * kQuadBytes;
    quad += count;
  }
}

/// What byte shuffles take to put scale n of a vector into both words of 32-bit lane n.
struct ScaleTwice {
  std::int8_t bytes[kBlockChannels * 4];
  constexpr ScaleTwice() : bytes() {
    for (int i = 0; i < kBlockChannels * 4; ++i) bytes[i] = static_cast<std::int8_t>(i % 2 == 0 ? i / 4 : -1);
  }
};
alignas(64) constexpr ScaleTwice kScaleTwice;

}  // namespace
}  // namespace brainquant
