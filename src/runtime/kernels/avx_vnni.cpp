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
  for_each_group(t, [&](Int4Group group, auto lines) {
    for (std::int64_t line = 0; line < lines; ++line, to += kLineQuads * kQuadBytes) {
      for (std::int64_t half = 0; half < 2; ++half) {
        const DecodedLine256 codes(group.lines + line * kQuadBytes + half * kHalfQuadBytes);
        const __m256i scale = doubled_scales_256(group.scales + half * kHalfChannels);
        auto* const out = reinterpret_cast<__m256i*>(to + half * kHalfQuadBytes);
        _mm256_storeu_si256(out, scaled(codes.first, scale));
        _mm256_storeu_si256(out + kQuadBytes / 32, scaled(codes.second, scale));
      }
    }
  });
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
