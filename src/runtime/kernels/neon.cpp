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
};

}  // namespace

extern const Kernel kNeonKernel;
constinit const Kernel kNeonKernel = neon_kernel<Product>("neon", "");

}  // namespace brainquant
