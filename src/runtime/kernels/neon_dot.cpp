// sdot (FEAT_DotProd, from ARMv8.2 on): 4 signed products of each lane added to 32 bits in one instruction.
#include <arm_neon.h>

#include "runtime/kernels/neon128.h"

namespace brainquant {
namespace {

struct Product {
  static int32x4_t add(int32x4_t acc, int8x16_t x, int8x16_t weights) { return vdotq_s32(acc, weights, x); }

  template <int Quads>
  static int32x4_t of_group(const std::uint8_t* x, const int8x16_t* codes) {
    int32x4_t sums = vdupq_n_s32(0);
    BRAINQUANT_UNROLL
    for (int q = 0; q < Quads; ++q) sums = add(sums, broadcast(x + q * kQuadInputs), codes[q]);
    return sums;
  }
};

}  // namespace

extern const Kernel kNeonDotKernel;
constinit const Kernel kNeonDotKernel = neon_kernel<Product>("neon_dot", BRAINQUANT_KERNEL_NEEDS);

}  // namespace brainquant
