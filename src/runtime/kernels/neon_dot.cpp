// sdot (FEAT_DotProd, from ARMv8.2 on): 4 signed products of each lane added to 32 bits in one instruction.
#include <arm_neon.h>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/int4_scalar.h"
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/neon128.h"
#include "runtime/kernels/with_constant.h"

namespace brainquant {
namespace {

constexpr int kMr = 4;

struct Product {
  static int32x4_t add(int32x4_t acc, int8x16_t x, int8x16_t weights) { return vdotq_s32(acc, weights, x); }
};

void multiply_tile(const TileArguments& t) {
  with_constant<kMr>(t.row_count, [&](auto rows) { tile_128<Product, rows>(t); });
}

}  // namespace

extern const Kernel kNeonDotKernel;
constinit const Kernel kNeonDotKernel =
    Elementwise<Neon128>::added_to({.name = "neon_dot",
                                    .needs = BRAINQUANT_KERNEL_NEEDS,
                                    .storage_offset = 0,
                                    .int8 = {.name = "int8",
                                             .mr = kMr,
                                             .nr = kBlockChannels,
                                             .kr = kQuadInputs,
                                             .pack = pack_int8,
                                             .multiply_tile = multiply_tile},
                                    .int4 = {.name = "int4",
                                             .mr = kMr,
                                             .nr = kBlockChannels,
                                             .kr = kQuadInputs,
                                             .pack = pack_int4,
                                             .multiply_tile = multiply_int4_scalar}});

}  // namespace brainquant
