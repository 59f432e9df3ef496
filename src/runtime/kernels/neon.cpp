// NEON, which every aarch64 CPU has: products in 16 bits (127 * 127 at most), added up in 32.
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
  static int32x4_t add(int32x4_t acc, int8x16_t x, int8x16_t weights) {
    const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(weights));
    const int16x8_t high = vmull_high_s8(x, weights);
    return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
  }
};

void multiply_tile(const TileArguments& t) {
  with_constant<kMr>(t.row_count, [&](auto rows) { tile_128<Product, rows>(t); });
}

}  // namespace

extern const Kernel kNeonKernel;
constinit const Kernel kNeonKernel = Elementwise<Neon128>::added_to({.name = "neon",
                                                                     .needs = "",
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
