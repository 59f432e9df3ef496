// AVX-VNNI: the 256-bit form of vpdpbusd, on CPUs that have VNNI without AVX-512. Offset as in avx512_vnni.cpp.
#include <immintrin.h>

#include "runtime/kernels/avx256.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/with_constant.h"

namespace brainquant {
namespace {

constexpr int kMr = 3, kNrBlocks = 2;

struct VnniProduct {
  using Activations = __m256i;
  static __m256i add(__m256i acc, __m256i x, __m256i weights) { return _mm256_dpbusd_avx_epi32(acc, x, weights); }
};

void multiply_tile(const TileArguments& t) {
  with_constant<kMr>(t.row_count, [&](auto rows) {
    with_constant<kNrBlocks>(t.block_count, [&](auto blocks) { tile_256<VnniProduct, rows, blocks>(t); });
  });
}

/// Codes times their channels' scales, which are in both halves of each lane: -120 to 105.
inline __m256i scaled(__m256i codes, __m256i scale) {
  const __m256i even = _mm256_mullo_epi16(_mm256_srai_epi16(_mm256_slli_epi16(codes, 8), 8), scale);
  const __m256i odd = _mm256_mullo_epi16(_mm256_srai_epi16(codes, 8), scale);
  return _mm256_blendv_epi8(even, _mm256_slli_epi16(odd, 8), _mm256_set1_epi16(static_cast<short>(0xff00)));
}

void expand_int4(const TileArguments& t, std::int8_t* to) {
  const __m256i low_nibbles = _mm256_set1_epi8(15);
  const __m256i lowest_code = _mm256_set1_epi8(8);
  for (std::int64_t b = 0; b < t.block_count; ++b) {
    const std::int8_t* line = t.weights + b * t.block_stride;
    const std::uint8_t* scales = t.group_scales + b * t.block_stride;
    std::int64_t left_in_run = t.run_quads - t.run_position;
    for (std::int64_t quad = 0, count; quad < t.quad_count; quad += count, scales += kBlockChannels) {
      count = left_in_run < kGroupQuads ? left_in_run : kGroupQuads;
      left_in_run = left_in_run == count ? t.run_quads : left_in_run - count;
      for (std::int64_t q = 0; q < count; q += kLineQuads, line += kQuadBytes, to += kLineQuads * kQuadBytes) {
        for (std::int64_t half = 0; half < 2; ++half) {
          const __m256i wide =
              _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(scales + half * kHalfChannels)));
          const __m256i scale = _mm256_or_si256(wide, _mm256_slli_epi32(wide, 16));
          const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(line + half * kHalfQuadBytes));
          const __m256i first = _mm256_sub_epi8(_mm256_and_si256(bytes, low_nibbles), lowest_code);
          const __m256i second =
              _mm256_sub_epi8(_mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_nibbles), lowest_code);
          auto* const out = reinterpret_cast<__m256i*>(to + half * kHalfQuadBytes);
          _mm256_storeu_si256(out, scaled(first, scale));
          _mm256_storeu_si256(out + kQuadBytes / 32, scaled(second, scale));
        }
      }
    }
  }
}

}  // namespace

extern const Kernel kAvxVnniKernel;
constinit const Kernel kAvxVnniKernel = Elementwise<Avx256>::added_to({.name = "avx_vnni",
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
                                                                                .nr = kNrBlocks * kBlockChannels,
                                                                                .kr = kQuadInputs,
                                                                                .pack = pack_int4,
                                                                                .multiply_tile = multiply_int4_256,
                                                                                .expand = expand_int4,
                                                                                .expanded = &kAvxVnniKernel.int8,
                                                                                .expand_from = 24}});

}  // namespace brainquant
