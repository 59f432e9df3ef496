// AVX2. vpmaddubsw multiplies unsigned activations (q + 128) by signed weights and adds two products with saturation to
// 16 bits: exact as long as the weights of one sign in a pair add up to at most 128, since 255 * 128 = 32,640. Where
// few pairs are beyond that, their excess weight is stored sparsely (outliers.h). For other matrices |q| is multiplied
// by the weight with q's sign, 2 * 127 * 127 = 32,258 at most, which takes a fourth instruction.
#include <immintrin.h>

#include "runtime/kernels/avx256.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/int4_groups.h"
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/unroll.h"
#include "runtime/kernels/with_constant.h"

namespace brainquant {
namespace {

constexpr int kMr = 4, kNrBlocks = 2;

struct PairProduct {
  using Activations = __m256i;
  static __m256i add(__m256i acc, __m256i x, __m256i weights) {
    const __m256i pairs = _mm256_maddubs_epi16(x, weights);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

struct SignedProduct {
  struct Activations {
    __m256i values, magnitudes;
    explicit Activations(__m256i x)
        : values(_mm256_xor_si256(x, _mm256_set1_epi8(static_cast<char>(0x80)))), magnitudes(_mm256_abs_epi8(values)) {}
  };
  static __m256i add(__m256i acc, const Activations& x, __m256i weights) {
    return PairProduct::add(acc, x.magnitudes, _mm256_sign_epi8(weights, x.values));
  }
};

/// So many blocks at a time that the sums and a row's activations stay in 16 registers.
template <typename Product, int Rows, int Blocks>
void tile_of_rows(TileArguments t) {
  for (; t.block_count >= Blocks; t.block_count -= Blocks) {
    tile_256<Product, Rows, Blocks>(t);
    t.weights += Blocks * t.block_stride;
    t.acc += Blocks * kBlockChannels;
  }
  if constexpr (Blocks > 1) tile_of_rows<Product, Rows, Blocks / 2>(t);
}

template <typename Product>
void multiply(const TileArguments& t) {
  with_constant<kMr>(t.row_count, [&](auto rows) { tile_of_rows<Product, rows, (rows <= 2 ? 2 : 1)>(t); });
}

template <int Rows>
void sparse_rows(const SparseQuads& t) {
  __m256i sums[Rows];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    sums[m] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(t.acc + m * t.acc_stride));
  }
  const std::uint8_t* rows[Rows];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) rows[m] = t.rows[m];
  for (std::int64_t i = 0; i < t.quad_count; ++i) {
    const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(t.weights + i * kHalfQuadBytes));
    const std::int64_t at = t.quads[i] * kQuadInputs;
    BRAINQUANT_UNROLL
    for (int m = 0; m < Rows; ++m) sums[m] = PairProduct::add(sums[m], broadcast(rows[m] + at), weights);
  }
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.acc + m * t.acc_stride), sums[m]);
  }
}

void multiply_sparse(const SparseQuads& t) {
  with_constant<kMr>(t.row_count, [&](auto rows) { sparse_rows<rows>(t); });
}

// 4-bit weights. Codes are signed, activations unsigned (q + 128): the products of a pair are 2 * 255 * 8 = 4,080 at
// most, and the 8 pair sums of a group 32,640, so they add up in 16 bits; one vpmaddwd multiplies them by the group's
// scale. A half block's codes of a group (8 channels x 32 inputs) are decoded into 8 registers, through which the rows
// pass.
constexpr int kInt4Mr = 16;

template <int Lines>
inline __attribute__((always_inline)) void add_half_group(const TileArguments& t, Int4Group group, std::int64_t block,
                                                          std::int64_t half) {
  const __m256i low_nibbles = _mm256_set1_epi8(15);
  const __m256i lowest_code = _mm256_set1_epi8(8);
  const __m256i to_unsigned = _mm256_set1_epi8(static_cast<char>(0x88));
  const std::int64_t at_block = block * t.block_stride;
  const std::uint8_t* const lines = group.lines + at_block + half * kHalfQuadBytes;
  __m256i codes[2 * Lines];
  BRAINQUANT_UNROLL
  for (int j = 0; j < Lines; ++j) {
    const __m256i bytes =
        _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(lines + j * kQuadBytes)), to_unsigned);
    codes[2 * j] = _mm256_sub_epi8(_mm256_and_si256(bytes, low_nibbles), lowest_code);
    codes[2 * j + 1] = _mm256_sub_epi8(_mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_nibbles), lowest_code);
  }
  const __m256i scale = doubled_scales_256(group.scales + at_block + half * kHalfChannels);
  const std::int64_t at = t.row_offset + group.quad * kQuadInputs;
  std::int32_t* const acc = t.acc + block * kBlockChannels + half * kHalfChannels;
  for (std::int64_t m = 0; m < t.row_count; ++m) {
    const std::uint8_t* const x = t.rows[m] + at;
    __m256i sums = _mm256_maddubs_epi16(broadcast(x), codes[0]);
    BRAINQUANT_UNROLL
    for (int q = 1; q < 2 * Lines; ++q) {
      sums = _mm256_add_epi16(sums, _mm256_maddubs_epi16(broadcast(x + q * kQuadInputs), codes[q]));
    }
    auto* const to = reinterpret_cast<__m256i*>(acc + m * t.acc_stride);
    _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), _mm256_madd_epi16(sums, scale)));
  }
}

void multiply_int4(const TileArguments& t) {
  for (std::int64_t block = 0; block < t.block_count; ++block) {
    for_each_group(t, [&](Int4Group group, auto lines) {
      add_half_group<lines>(t, group, block, 0);
      add_half_group<lines>(t, group, block, 1);
    });
  }
}

}  // namespace

extern const Kernel kAvx2Kernel;
constinit const Kernel kAvx2Kernel =
    Elementwise<Avx256>::added_to({.name = "avx2",
                                   .needs = BRAINQUANT_KERNEL_NEEDS,
                                   .storage_offset = 128,
                                   .int8 = {.name = "int8",
                                            .mr = kMr,
                                            .nr = kNrBlocks * kBlockChannels,
                                            .kr = kQuadInputs,
                                            .pack = pack_int8,
                                            .pair_limit = 128,
                                            .multiply_tile = multiply<PairProduct>,
                                            .multiply_any_tile = multiply<SignedProduct>,
                                            .multiply_sparse = multiply_sparse},
                                   .int4 = {.name = "int4",
                                            .mr = kInt4Mr,
                                            .nr = kNrBlocks * kBlockChannels,
                                            .kr = kQuadInputs,
                                            .pack = pack_int4,
                                            .multiply_tile = multiply_int4}});

}  // namespace brainquant
