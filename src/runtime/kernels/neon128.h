// 128-bit vectors, and what the kernels of aarch64 share. Internal linkage, like elementwise.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/int4_groups.h"
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/unroll.h"
#include "runtime/kernels/with_constant.h"

namespace brainquant {
namespace {

struct Neon128 {
  using Float = float32x4_t;
  static constexpr int width = 4;
  static Float all(float value) { return vdupq_n_f32(value); }
  static Float load(const float* from) { return vld1q_f32(from); }
  static void store(float* to, Float value) { vst1q_f32(to, value); }
  static Float to_float(const std::int32_t* from) { return vcvtq_f32_s32(vld1q_s32(from)); }
  static Float add(Float a, Float b) { return vaddq_f32(a, b); }
  static Float subtract(Float a, Float b) { return vsubq_f32(a, b); }
  static Float multiply(Float a, Float b) { return vmulq_f32(a, b); }
  static Float divide(Float a, Float b) { return vdivq_f32(a, b); }
  // fmin and fmax give NaN if either is NaN, std::min and std::max the first: so comparisons.
  static Float min(Float a, Float b) { return vbslq_f32(vcltq_f32(b, a), b, a); }
  static Float max(Float a, Float b) { return vbslq_f32(vcltq_f32(a, b), b, a); }
  static Float absolute(Float a) { return vabsq_f32(a); }
  static float largest(Float a) { return vmaxvq_f32(a); }
  static void store_rounded(std::uint8_t* to, Float value) {
    const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(value));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    const std::uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
    std::memcpy(to, &four, sizeof four);
  }
};

/// 4 activations in every lane.
inline int8x16_t broadcast(const std::uint8_t* x) {
  std::uint32_t four;
  std::memcpy(&four, x, sizeof four);
  return vreinterpretq_s8_u32(vdupq_n_u32(four));
}

/// The loops of a tile of Rows rows and one block (four registers), around Product::add(acc, x, weights).
template <typename Product, int Rows>
void tile_128(const TileArguments& t) {
  constexpr int kQuarters = 4;
  int32x4_t sums[Rows][kQuarters];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    BRAINQUANT_UNROLL
    for (int v = 0; v < kQuarters; ++v) sums[m][v] = vld1q_s32(t.acc + m * t.acc_stride + v * 4);
  }
  const std::uint8_t* rows[Rows];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) rows[m] = t.rows[m] + t.row_offset;
  const std::int8_t* w = t.weights;
  for (std::int64_t g = 0; g < t.quad_count; ++g, w += kQuadBytes) {
    int8x16_t weights[kQuarters];
    BRAINQUANT_UNROLL
    for (int v = 0; v < kQuarters; ++v) weights[v] = vld1q_s8(w + v * 16);
    BRAINQUANT_UNROLL
    for (int m = 0; m < Rows; ++m) {
      const int8x16_t x = broadcast(rows[m]);
      rows[m] += kQuadInputs;
      BRAINQUANT_UNROLL
      for (int v = 0; v < kQuarters; ++v) sums[m][v] = Product::add(sums[m][v], x, weights[v]);
    }
  }
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    BRAINQUANT_UNROLL
    for (int v = 0; v < kQuarters; ++v) vst1q_s32(t.acc + m * t.acc_stride + v * 4, sums[m][v]);
  }
}

// 4-bit weights: a quarter block's codes of a group (4 channels x 32 inputs) are decoded into 8 registers, through
// which the rows pass; a group's sums take the group's scale before they are added.
template <typename Product, int Lines>
void add_quarter_group(const TileArguments& t, Int4Group group, std::int64_t block, std::int64_t quarter) {
  constexpr std::int64_t kQuarterChannels = kBlockChannels / 4;
  const std::uint8_t* const lines = group.lines + block * t.block_stride + quarter * kQuarterChannels * kQuadInputs;
  int8x16_t codes[2 * Lines];
  BRAINQUANT_UNROLL
  for (int j = 0; j < Lines; ++j) {
    const int8x16_t bytes = vreinterpretq_s8_u8(vld1q_u8(lines + j * kQuadBytes));
    codes[2 * j] = vshrq_n_s8(vshlq_n_s8(bytes, 4), 4);
    codes[2 * j + 1] = vshrq_n_s8(bytes, 4);
  }
  std::uint32_t four;
  std::memcpy(&four, group.scales + block * t.block_stride + quarter * kQuarterChannels, sizeof four);
  const uint16x4_t words = vget_low_u16(vmovl_u8(vcreate_u8(four)));
  const int32x4_t scale = vreinterpretq_s32_u32(vmovl_u16(words));
  const std::int64_t at = t.row_offset + group.quad * kQuadInputs;
  std::int32_t* const acc = t.acc + block * kBlockChannels + quarter * kQuarterChannels;
  for (std::int64_t m = 0; m < t.row_count; ++m) {
    std::int32_t* const to = acc + m * t.acc_stride;
    vst1q_s32(to, vmlaq_s32(vld1q_s32(to), Product::template of_group<2 * Lines>(t.rows[m] + at, codes), scale));
  }
}

template <typename Product>
void multiply_int4(const TileArguments& t) {
  for (std::int64_t block = 0; block < t.block_count; ++block) {
    for (std::int64_t quarter = 0; quarter < 4; ++quarter) {
      for_each_group(t,
                     [&](Int4Group group, auto lines) { add_quarter_group<Product, lines>(t, group, block, quarter); });
    }
  }
}

/// A kernel around Product. To be called in a constinit definition only, as Elementwise::added_to().
template <typename Product>
constexpr Kernel neon_kernel(const char* name, const char* needs) {
  constexpr int kMr = 4;
  const auto multiply_tile = [](const TileArguments& t) {
    with_constant<kMr>(t.row_count, [&](auto rows) { tile_128<Product, rows>(t); });
  };
  return Elementwise<Neon128>::added_to({.name = name,
                                         .needs = needs,
                                         .storage_offset = 0,
                                         .int8 = {.name = "int8",
                                                  .mr = kMr,
                                                  .nr = kBlockChannels,
                                                  .kr = kQuadInputs,
                                                  .pack = pack_int8,
                                                  .multiply_tile = multiply_tile},
                                         .int4 = {.name = "int4",
                                                  .mr = 16,
                                                  .nr = kBlockChannels,
                                                  .kr = kQuadInputs,
                                                  .pack = pack_int4,
                                                  .multiply_tile = multiply_int4<Product>}});
}

}  // namespace
}  // namespace brainquant
