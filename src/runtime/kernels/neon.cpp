// NEON, which every aarch64 CPU has: products in 16 bits (127 * 127 at most), added up in 32.
#include <arm_neon.h>

#include "runtime/kernels/neon128.h"

namespace brainquant {
namespace {

struct Product {
  static int32x4_t add(int32x4_t acc, int8x16_t x, int8x16_t weights) {
    const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(weights));
    const int16x8_t high = vmull_high_s8(x, weights);
    return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
  }

  /// 8 products of 127 * 8 at most add up in 16 bits.
  template <int Quads>
  static int32x4_t of_group(const std::uint8_t* x, const int8x16_t* codes) {
    int16x8_t low = vdupq_n_s16(0), high = low;
    BRAINQUANT_UNROLL
    for (int q = 0; q < Quads; ++q) {
      const int8x16_t quad = broadcast(x + q * kQuadInputs);
      low = vmlal_s8(low, vget_low_s8(quad), vget_low_s8(codes[q]));
      high = vmlal_high_s8(high, quad, codes[q]);
    }
    return vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
  }
};

}  // namespace

extern const Kernel kNeonKernel;
constinit const Kernel kNeonKernel = neon_kernel<Product>("neon", "");

}  // namespace brainquant
