// AVX2. vpmaddubsw adds two products of an unsigned and a signed byte with saturation to 16 bits, so activations must
// not be offset: |x| times (w with x's sign) stays within 2 * 127 * 127 = 32,258 and is exact.
#include <immintrin.h>

#include "runtime/kernels/avx256.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/kernel.h"

namespace brainquant {
namespace {

struct SignedProduct {
  struct Activations {
    __m256i values;
    __m256i magnitudes;
    explicit Activations(__m256i x) : values(x), magnitudes(_mm256_abs_epi8(x)) {}
  };
  static __m256i add(__m256i acc, const Activations& x, __m256i weights) {
    const __m256i pairs = _mm256_maddubs_epi16(x.magnitudes, _mm256_sign_epi8(weights, x.values));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

template <int Rows>
void tile_of_rows(const TileArguments& t) {
  switch (t.block_count) {
    case 1:
      return tile_256<SignedProduct, Rows, 1>(t);
    default:
      return tile_256<SignedProduct, Rows, 2>(t);
  }
}

/// One block at a time for several rows (8 sums in registers), two for one or two rows.
void multiply_tile(const TileArguments& t) {
  if (t.row_count <= 2) return t.row_count == 1 ? tile_of_rows<1>(t) : tile_of_rows<2>(t);
  TileArguments one = t;
  one.block_count = 1;
  for (std::int64_t b = 0; b < t.block_count; ++b) {
    if (t.row_count == 3) {
      tile_256<SignedProduct, 3, 1>(one);
    } else {
      tile_256<SignedProduct, 4, 1>(one);
    }
    one.weights += t.block_stride;
    one.acc += kBlockChannels;
  }
}

bool is_supported() { return __builtin_cpu_supports("avx2"); }

using E = Elementwise<Avx256<0>>;

}  // namespace

extern const Kernel kAvx2Kernel;
const Kernel kAvx2Kernel = {"avx2",   is_supported,        0,          4, 2, multiply_tile, E::affine, E::day_output,
                            E::gates, E::absolute_maximum, E::quantize};

}  // namespace brainquant
