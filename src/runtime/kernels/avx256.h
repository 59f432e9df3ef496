// 256-bit vectors of floats, for the kernels of AVX2 and AVX-VNNI. Internal linkage, like elementwise.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "runtime/kernels/int4_groups.h"
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/unroll.h"

namespace brainquant {
namespace {

struct Avx256 {
  using Float = __m256;
  static constexpr int width = 8;
  static Float all(float value) { return _mm256_set1_ps(value); }
  static Float load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Float value) { _mm256_storeu_ps(to, value); }
  static Float to_float(const std::int32_t* from) {
    return _mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
  static Float subtract(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float multiply(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float divide(Float a, Float b) { return _mm256_div_ps(a, b); }
  // The instructions give their second operand if either is NaN, std::min and std::max the first.
  static Float min(Float a, Float b) { return _mm256_min_ps(b, a); }
  static Float max(Float a, Float b) { return _mm256_max_ps(b, a); }
  static Float absolute(Float a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static float largest(Float a) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    m = _mm_max_ss(m, _mm_movehdup_ps(m));
    return _mm_cvtss_f32(m);
  }
  static void store_rounded(std::uint8_t* to, Float value) {
    const __m256i q = _mm256_cvtps_epi32(value);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    const __m128i bytes = _mm_packs_epi16(words, words);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(0x80))));
  }
};

inline __m256i broadcast(const std::uint8_t* x) {
  return _mm256_set1_epi32(*reinterpret_cast<const int __attribute__((may_alias, aligned(1)))*>(x));
}

/// The loops of a tile of Rows x Blocks blocks (two registers each), around Product::add(acc, x, weights); a
/// Product::Activations x is made of 4 unsigned activations in every lane.
template <typename Product, int Rows, int Blocks>
void tile_256(const TileArguments& t) {
  constexpr int kHalves = 2 * Blocks;
  __m256i sums[Rows][kHalves];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    BRAINQUANT_UNROLL
    for (int v = 0; v < kHalves; ++v) {
      sums[m][v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(t.acc + m * t.acc_stride + v * 8));
    }
  }
  const std::uint8_t* rows[Rows];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) rows[m] = t.rows[m] + t.row_offset;
  const std::int64_t block_stride = t.block_stride;
  const std::int8_t* w = t.weights;
  for (std::int64_t g = 0; g < t.quad_count; ++g, w += kQuadBytes) {
    __m256i weights[kHalves];
    BRAINQUANT_UNROLL
    for (int v = 0; v < kHalves; ++v) {
      weights[v] =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + (v / 2) * block_stride + (v % 2) * (kQuadBytes / 2)));
    }
    BRAINQUANT_UNROLL
    for (int m = 0; m < Rows; ++m) {
      const typename Product::Activations x(broadcast(rows[m]));
      rows[m] += kQuadInputs;
      BRAINQUANT_UNROLL
      for (int v = 0; v < kHalves; ++v) sums[m][v] = Product::add(sums[m][v], x, weights[v]);
    }
  }
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    BRAINQUANT_UNROLL
    for (int v = 0; v < kHalves; ++v) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.acc + m * t.acc_stride + v * 8), sums[m][v]);
    }
  }
}

/// 8 channels' group scales, each in both words of its lane.
inline __m256i doubled_scales_256(const std::uint8_t* scales) {
  const __m256i all =
      _mm256_set1_epi64x(*reinterpret_cast<const long long __attribute__((may_alias, aligned(1)))*>(scales));
  return _mm256_shuffle_epi8(all, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kScaleTwice.bytes)));
}

}  // namespace
}  // namespace brainquant
