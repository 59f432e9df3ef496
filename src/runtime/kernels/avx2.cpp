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

template <int Rows>
void tile_of_rows(const TileArguments& t) {
  switch (t.block_count) {
    case 1:
      return tile_256<PairProduct, Rows, 1>(t);
    default:
      return tile_256<PairProduct, Rows, 2>(t);
  }
}

/// One block at a time for several rows (8 sums in registers), two for one or two rows.
void multiply_tile(const TileArguments& t) {
  if (t.row_count <= 2) return t.row_count == 1 ? tile_of_rows<1>(t) : tile_of_rows<2>(t);
  TileArguments one = t;
  one.block_count = 1;
  for (std::int64_t b = 0; b < t.block_count; ++b) {
    if (t.row_count == 3) {
      tile_256<PairProduct, 3, 1>(one);
    } else {
      tile_256<PairProduct, 4, 1>(one);
    }
    one.weights += t.block_stride;
    one.acc += kBlockChannels;
  }
}

void multiply_listed(const ListedGroups& t) {
  for (std::int64_t m = 0; m < t.row_count; ++m) {
    auto* acc = reinterpret_cast<__m256i*>(t.acc + m * t.acc_stride);
    __m256i sums = _mm256_loadu_si256(acc);
    const std::uint8_t* x = t.rows[m];
    for (std::int64_t i = 0; i < t.group_count; ++i) {
      const auto* weights = reinterpret_cast<const __m256i*>(t.weights + i * kListedBytes);
      sums = PairProduct::add(sums, broadcast(x + t.groups[i] * kGroupInputs), _mm256_loadu_si256(weights));
    }
    _mm256_storeu_si256(acc, sums);
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
