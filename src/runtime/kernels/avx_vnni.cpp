// AVX-VNNI: the 256-bit form of vpdpbusd, on CPUs that have VNNI without AVX-512. Offset as in avx512_vnni.cpp.
#include <immintrin.h>

#include "runtime/kernels/avx256.h"
#include "runtime/kernels/elementwise.h"
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

}  // namespace

extern const Kernel kAvxVnniKernel;
constinit const Kernel kAvxVnniKernel = Elementwise<Avx256>::added_to({.name = "avx_vnni",
                                                                       .needs = BRAINQUANT_KERNEL_NEEDS,
                                                                       .storage_offset = 128,
                                                                       .int8 = {.name = "int8",
                                                                                .mr = kMr,
                                                                                .nr = kNrBlocks * kBlockChannels,
                                                                                .kr = kQuadInputs,
                                                                                .pack = pack_int8,
                                                                                .multiply_tile = multiply_tile}});

}  // namespace brainquant
