// AVX-512 with VNNI. vpdpbusd takes unsigned activations (q + 128) and signed weights and adds into int32 without
// saturating; the sums begin with the compensation -128 * (sum of the channel's weights).
#include <immintrin.h>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/int4_groups.h"
#include "runtime/kernels/kernel.h"
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

// Every loop over a tile's registers is unrolled by force: an array that is still indexed at run time would live in
// memory.
#define BRAINQUANT_UNROLL _Pragma("GCC unroll 32")

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

// 4-bit weights: a group's codes of a block (16 channels x 32 inputs) are decoded into 8 registers, through which the
// rows pass; a group's sums of a row are 32 * 255 * 8 at most and take the group's scale before they are added.
constexpr int kInt4Mr = 16;

/// The codes of a line's first and second k quad.
struct DecodedLine {
  __m512i first, second;
  explicit DecodedLine(const std::uint8_t* line) {
    const __m512i low_nibbles = _mm512_set1_epi8(15);
    const __m512i lowest_code = _mm512_set1_epi8(8);
    const __m512i bytes = _mm512_loadu_si512(line);
    first = _mm512_sub_epi8(_mm512_and_si512(bytes, low_nibbles), lowest_code);
    second = _mm512_sub_epi8(_mm512_and_si512(_mm512_srli_epi16(bytes, 4), low_nibbles), lowest_code);
  }
};

inline __m512i wide_scales(const std::uint8_t* scales) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales)));
}

template <int Lines>
inline __attribute__((always_inline)) void add_group(const TileArguments& t, Int4Group group) {
  __m512i codes[2 * Lines];
  BRAINQUANT_UNROLL
  for (int j = 0; j < Lines; ++j) {
    const DecodedLine line(group.lines + j * kQuadBytes);
    codes[2 * j] = line.first;
    codes[2 * j + 1] = line.second;
  }
  const __m512i scale = wide_scales(group.scales);
  const std::int64_t at = t.row_offset + group.quad * kQuadInputs;
  std::int32_t* const acc = t.acc + group.block * kBlockChannels;
  for (std::int64_t m = 0; m < t.row_count; ++m) {
    const std::uint8_t* const x = t.rows[m] + at;
    __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    BRAINQUANT_UNROLL
    for (int q = 0; q < 2 * Lines; ++q) {
      sums[q % 2] = _mm512_dpbusd_epi32(sums[q % 2], broadcast(x + q * kQuadInputs), codes[q]);
    }
    std::int32_t* const to = acc + m * t.acc_stride;
    const __m512i product = _mm512_mullo_epi32(_mm512_add_epi32(sums[0], sums[1]), scale);
    _mm512_storeu_si512(to, _mm512_add_epi32(_mm512_loadu_si512(to), product));
  }
}

void multiply_int4(const TileArguments& t) {
  for_each_group(t, [&](Int4Group group, auto lines) { add_group<lines>(t, group); });
}

/// Codes times their channels' scales, which are in both halves of each lane: -120 to 105.
inline __m512i scaled(__m512i codes, __m512i scale) {
  const __m512i even = _mm512_mullo_epi16(_mm512_srai_epi16(_mm512_slli_epi16(codes, 8), 8), scale);
  const __m512i odd = _mm512_mullo_epi16(_mm512_srai_epi16(codes, 8), scale);
  return _mm512_mask_blend_epi8(0xaaaaaaaaaaaaaaaaULL, even, _mm512_slli_epi16(odd, 8));
}

void expand_int4(const TileArguments& t, std::int8_t* to) {
  for_each_group(t, [&](Int4Group group, auto lines) {
    const __m512i wide = wide_scales(group.scales);
    const __m512i scale = _mm512_or_si512(wide, _mm512_slli_epi32(wide, 16));
    for (std::int64_t line = 0; line < lines; ++line, to += kLineQuads * kQuadBytes) {
      const DecodedLine codes(group.lines + line * kQuadBytes);
      _mm512_storeu_si512(to, scaled(codes.first, scale));
      _mm512_storeu_si512(to + kQuadBytes, scaled(codes.second, scale));
    }
  });
}

}  // namespace

extern const Kernel kAvx512VnniKernel;
constinit const Kernel kAvx512VnniKernel = Elementwise<Avx512>::added_to({.name = "avx512_vnni",
                                                                          .needs = BRAINQUANT_KERNEL_NEEDS,
                                                                          .storage_offset = 128,
                                                                          .int8 = {.name = "int8",
                                                                                   .mr = kMr,
                                                                                   .nr = kNrBlocks * kBlockChannels,
                                                                                   .kr = kQuadInputs,
                                                                                   .pack = pack_int8,
                                                                                   .multiply_tile = multiply_tile},
                                                                          .int4 = {.name = "int4",
                                                                                   .mr = kInt4Mr,
                                                                                   .nr = kBlockChannels,
                                                                                   .kr = kQuadInputs,
                                                                                   .pack = pack_int4,
                                                                                   .multiply_tile = multiply_int4,
                                                                                   .expand = expand_int4,
                                                                                   .expanded = &kAvx512VnniKernel.int8,
                                                                                   .expand_from = 24}});

}  // namespace brainquant
