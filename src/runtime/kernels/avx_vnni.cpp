// AVX-VNNI: the 256-bit form of vpdpbusd, on CPUs that have VNNI without AVX-512. Offset as in avx512_vnni.cpp.
#include <immintrin.h>

#include "runtime/kernels/avx256.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/int4_vnni.h"
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

/// For 4-bit weights.
struct Int4Vectors {
  using Int = __m256i;
  static constexpr int kChannels = 8;
  static constexpr int kInt4Mr = 2;
  static constexpr int int4_vectors(int /*rows*/) { return 2; }
  static Int zero() { return _mm256_setzero_si256(); }
  static Int all_bytes(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
  static Int load(const void* from) { return _mm256_loadu_si256(static_cast<const Int*>(from)); }
  static void store(void* to, Int value) { _mm256_storeu_si256(static_cast<Int*>(to), value); }
  static Int broadcast(const std::uint8_t* x) { return brainquant::broadcast(x); }
  static Int bits_and(Int a, Int b) { return _mm256_and_si256(a, b); }
  static Int bits_or(Int a, Int b) { return _mm256_or_si256(a, b); }
  static Int bits_xor(Int a, Int b) { return _mm256_xor_si256(a, b); }
  static Int shifted_left_3(Int words) { return _mm256_slli_epi16(words, 3); }
  static Int shifted_left_4(Int words) { return _mm256_slli_epi16(words, 4); }
  static Int shifted_left_8(Int words) { return _mm256_slli_epi16(words, 8); }
  static Int shifted_right_4(Int words) { return _mm256_srli_epi16(words, 4); }
  static Int multiply_words(Int a, Int b) { return _mm256_mullo_epi16(a, b); }
  static Int subtract_bytes(Int a, Int b) { return _mm256_sub_epi8(a, b); }
  static Int add_products(Int sums, Int x, Int codes) { return _mm256_dpbusd_avx_epi32(sums, x, codes); }
  static Int add_pair_products(Int sums, Int pairs, Int scale) { return _mm256_dpwssd_avx_epi32(sums, pairs, scale); }
  static Int pairs(Int first, Int second) {
    return _mm256_blend_epi16(_mm256_srli_epi32(first, 4), _mm256_slli_epi32(second, 12), 0xaa);
  }
  static Int doubled(const std::uint8_t* scales) { return doubled_scales_256(scales); }
};

}  // namespace

extern const Kernel kAvxVnniKernel;
constinit const Kernel kAvxVnniKernel =
    Elementwise<Avx256>::added_to({.name = "avx_vnni",
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
                                            .expanded = &kAvxVnniKernel.int8,
                                            .expanded_from = 3,
                                            .expand_from = 6}});

}  // namespace brainquant
