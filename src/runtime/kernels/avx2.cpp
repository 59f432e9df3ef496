// AVX2. vpmaddubsw multiplies unsigned activations (q + 128) by signed weights and adds two products with saturation to
// 16 bits: exact as long as the weights of one sign in a pair add up to at most 128, since 255 * 128 = 32,640. Pairs
// beyond that, few in a trained matrix, are split by pack(). The alternative, |q| times the weight with q's sign, needs
// a fourth instruction for every product.
#include <immintrin.h>

#include "runtime/kernels/avx256.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/kernel.h"

namespace brainquant {
namespace {

constexpr int kPairLimit = 128;

struct PairProduct {
  static __m256i add(__m256i acc, __m256i x, __m256i weights) {
    const __m256i pairs = _mm256_maddubs_epi16(x, weights);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

/// So many blocks at a time that the sums and a row's activations stay in 16 registers.
template <int Rows, int Blocks>
void tile_of_rows(TileArguments t) {
  for (; t.block_count >= Blocks; t.block_count -= Blocks) {
    tile_256<PairProduct, Rows, Blocks>(t);
    t.weights += Blocks * t.block_stride;
    t.acc += Blocks * kBlockChannels;
  }
  if constexpr (Blocks > 1) tile_of_rows<Rows, Blocks / 2>(t);
}

void multiply_tile(const TileArguments& t) {
  switch (t.row_count) {
    case 1:
      return tile_of_rows<1, 2>(t);
    case 2:
      return tile_of_rows<2, 2>(t);
    case 3:
      return tile_of_rows<3, 1>(t);
    default:
      return tile_of_rows<4, 1>(t);
  }
}

template <int Rows>
void listed_rows(const ListedGroups& t) {
  __m256i sums[Rows];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    sums[m] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(t.acc + m * t.acc_stride));
  }
  const std::uint8_t* rows[Rows];
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) rows[m] = t.rows[m];
  for (std::int64_t i = 0; i < t.group_count; ++i) {
    const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(t.weights + i * kListedBytes));
    const std::int64_t at = t.groups[i] * kGroupInputs;
    BRAINQUANT_UNROLL
    for (int m = 0; m < Rows; ++m) sums[m] = PairProduct::add(sums[m], broadcast(rows[m] + at), weights);
  }
  BRAINQUANT_UNROLL
  for (int m = 0; m < Rows; ++m) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.acc + m * t.acc_stride), sums[m]);
  }
}

void multiply_listed(const ListedGroups& t) {
  switch (t.row_count) {
    case 1:
      return listed_rows<1>(t);
    case 2:
      return listed_rows<2>(t);
    case 3:
      return listed_rows<3>(t);
    default:
      return listed_rows<4>(t);
  }
}

bool is_supported() { return __builtin_cpu_supports("avx2"); }

using E = Elementwise<Avx256>;

}  // namespace

extern const Kernel kAvx2Kernel;
const Kernel kAvx2Kernel = {"avx2",     is_supported,  128,           4,
                            2,          kPairLimit,    multiply_tile, multiply_listed,
                            E::affine,  E::day_output, E::gates,      E::absolute_maximum,
                            E::quantize};

}  // namespace brainquant
