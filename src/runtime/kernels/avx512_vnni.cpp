// AVX-512 with VNNI. vpdpbusd takes unsigned activations (q + 128) and signed weights and adds into int32 without
// saturating; the sums begin with the compensation -128 * (sum of the channel's weights).
#include <immintrin.h>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/int4_vnni.h"
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/unroll.h"
#include "runtime/kernels/with_constant.h"

namespace brainquant {
namespace {

constexpr int kMr = 6, kNrBlocks = 4;

struct Avx512 {
  using Float = __m512;
  static constexpr int width = 16;
  static Float all(float value) { return _mm512_set1_ps(value); }
  static Float load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Float value) { _mm512_storeu_ps(to, value); }
  static Float to_float(const std::int32_t* from) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(from)); }
  static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float subtract(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float divide(Float a, Float b) { return _mm512_div_ps(a, b); }
  // The instructions give their second operand if either is NaN, std::min and std::max the first.
  static Float min(Float a, Float b) { return _mm512_min_ps(b, a); }
  static Float max(Float a, Float b) { return _mm512_max_ps(b, a); }
  static Float absolute(Float a) { return _mm512_abs_ps(a); }
  static float largest(Float a) { return _mm512_reduce_max_ps(a); }
  static void store_rounded(std::uint8_t* to, Float value) {
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(0x80))));
  }
};

inline __m512i broadcast(const std::uint8_t* x) {
  return _mm512_set1_epi32(*reinterpret_cast<const int __attribute__((may_alias, aligned(1)))*>(x));
}

/// Rows times Blocks sums stay in registers. `Chains` splits each sum over as many registers, for few rows, where the
/// instruction's latency would be the limit.
template <int Rows, int Blocks, int Chains>
void tile(const TileArguments& t) {
  __m512i sums[Rows][Blocks][Chains];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    BRAINQUANT_UNROLL
    for (int b = 0; b < Blocks; ++b) {
      sums[m][b][0] = _mm512_loadu_si512(t.acc + m * t.acc_stride + b * kBlockChannels);
      BRAINQUANT_UNROLL
      for (int c = 1; c < Chains; ++c) sums[m][b][c] = _mm512_setzero_si512();
    }
  }
  const std::uint8_t* rows[Rows];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) rows[m] = t.rows[m] + t.row_offset;
  const std::int64_t block_stride = t.block_stride;
  const std::int8_t* w = t.weights;
  std::int64_t left = t.quad_count;
  for (; left >= Chains; left -= Chains) {
    BRAINQUANT_UNROLL
    for (int c = 0; c < Chains; ++c) {
      __m512i weights[Blocks];
      BRAINQUANT_UNROLL
      for (int b = 0; b < Blocks; ++b) weights[b] = _mm512_loadu_si512(w + b * block_stride + c * kQuadBytes);
      BRAINQUANT_UNROLL
      for (int m = 0; m < Rows; ++m) {
        const __m512i x = broadcast(rows[m] + c * kQuadInputs);
        BRAINQUANT_UNROLL
        for (int b = 0; b < Blocks; ++b) sums[m][b][c] = _mm512_dpbusd_epi32(sums[m][b][c], x, weights[b]);
      }
    }
    w += Chains * kQuadBytes;
    BRAINQUANT_UNROLL
    for (int m = 0; m < Rows; ++m) rows[m] += Chains * kQuadInputs;
  }
  for (; left > 0; --left) {
    BRAINQUANT_UNROLL
    for (int m = 0; m < Rows; ++m) {
      const __m512i x = broadcast(rows[m]);
      BRAINQUANT_UNROLL
      for (int b = 0; b < Blocks; ++b) {
        sums[m][b][0] = _mm512_dpbusd_epi32(sums[m][b][0], x, _mm512_loadu_si512(w + b * block_stride));
      }
      rows[m] += kQuadInputs;
    }
    w += kQuadBytes;
  }
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    BRAINQUANT_UNROLL
    for (int b = 0; b < Blocks; ++b) {
      BRAINQUANT_UNROLL
      for (int c = 1; c < Chains; ++c) sums[m][b][0] = _mm512_add_epi32(sums[m][b][0], sums[m][b][c]);
      _mm512_storeu_si512(t.acc + m * t.acc_stride + b * kBlockChannels, sums[m][b][0]);
    }
  }
}

void multiply_tile(const TileArguments& t) {
  with_constant<kMr>(t.row_count, [&](auto rows) {
    constexpr int kChains = rows == 1 ? 4 : rows == 2 ? 2 : 1;
    with_constant<kNrBlocks>(t.block_count, [&](auto blocks) { tile<rows, blocks, kChains>(t); });
  });
}

/// For 4-bit weights.
struct Int4Vectors {
  using Int = __m512i;
  static constexpr int kChannels = 16;
  static constexpr int kInt4Mr = 4;
  static constexpr int int4_vectors(int rows) { return rows == 1 ? 4 : 2; }
  static Int zero() { return _mm512_setzero_si512(); }
  static Int all_bytes(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }
  static Int load(const void* from) { return _mm512_loadu_si512(from); }
  static void store(void* to, Int value) { _mm512_storeu_si512(to, value); }
  static Int broadcast(const std::uint8_t* x) { return brainquant::broadcast(x); }
  static Int bits_and(Int a, Int b) { return _mm512_and_si512(a, b); }
  static Int bits_or(Int a, Int b) { return _mm512_or_si512(a, b); }
  static Int bits_xor(Int a, Int b) { return _mm512_xor_si512(a, b); }
  static Int shifted_left_3(Int words) { return _mm512_slli_epi16(words, 3); }
  static Int shifted_left_4(Int words) { return _mm512_slli_epi16(words, 4); }
  static Int shifted_left_8(Int words) { return _mm512_slli_epi16(words, 8); }
  static Int shifted_right_4(Int words) { return _mm512_srli_epi16(words, 4); }
  static Int multiply_words(Int a, Int b) { return _mm512_mullo_epi16(a, b); }
  static Int subtract_bytes(Int a, Int b) { return _mm512_sub_epi8(a, b); }
  static Int add_products(Int sums, Int x, Int codes) { return _mm512_dpbusd_epi32(sums, x, codes); }
  static Int add_pair_products(Int sums, Int pairs, Int scale) { return _mm512_dpwssd_epi32(sums, pairs, scale); }
  /// Words: first / 16 and second / 16, which are whole numbers.
  static Int pairs(Int first, Int second) {
    const Int low_word = _mm512_set1_epi32(0xffff);
    return _mm512_ternarylogic_epi32(_mm512_srli_epi32(first, 4), low_word, _mm512_slli_epi32(second, 12),
                                     0xea);  // first & low | second
  }
  /// 16 group scales, each in both words of its lane.
  static Int doubled(const std::uint8_t* scales) {
    const Int all = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales)));
    return _mm512_shuffle_epi8(all, _mm512_loadu_si512(kScaleTwice.bytes));
  }
};

}  // namespace

extern const Kernel kAvx512VnniKernel;
constinit const Kernel kAvx512VnniKernel =
    Elementwise<Avx512>::added_to({.name = "avx512_vnni",
                                   .needs = BRAINQUANT_KERNEL_NEEDS,
                                   .storage_offset = 128,
                                   .int8 = {.name = "int8",
                                            .mr = kMr,
                                            .nr = kNrBlocks * kBlockChannels,
                                            .kr = kQuadInputs,
                                            .pack = pack_int8,
                                            .multiply_tile = multiply_tile},
                                   .int4 = {.name = "int4",
                                            .mr = Int4Vectors::kInt4Mr,
                                            .nr = kNrBlocks * kBlockChannels,
                                            .kr = kQuadInputs,
                                            .pack = pack_int4,
                                            .multiply_tile = Int4Vnni<Int4Vectors>::multiply,
                                            .expand = Int4Vnni<Int4Vectors>::expand,
                                            .expanded = &kAvx512VnniKernel.int8,
                                            .expanded_from = 4,
                                            .expand_from = 16}});

}  // namespace brainquant
