// AVX-VNNI: the 256-bit form of vpdpbusd, on CPUs that have VNNI without AVX-512. Offset as in avx512_vnni.cpp.
#include <cpuid.h>
#include <immintrin.h>

#include "runtime/kernels/avx256.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/kernel.h"

namespace brainquant {
namespace {

struct VnniProduct {
  using Activations = __m256i;
  static __m256i add(__m256i acc, __m256i x, __m256i weights) { return _mm256_dpbusd_avx_epi32(acc, x, weights); }
};

template <int Rows>
void tile_of_rows(const TileArguments& t) {
  switch (t.block_count) {
    case 1:
      return tile_256<VnniProduct, Rows, 1>(t);
    default:
      return tile_256<VnniProduct, Rows, 2>(t);
  }
}

void multiply_tile(const TileArguments& t) {
  switch (t.row_count) {
    case 1:
      return tile_of_rows<1>(t);
    case 2:
      return tile_of_rows<2>(t);
    default:
      return tile_of_rows<3>(t);
  }
}

bool is_supported() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kAvxVnniBit = 1u << 4;  // CPUID leaf 7, subleaf 1, EAX
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 &&
         (eax & kAvxVnniBit) != 0;
}

using E = Elementwise<Avx256>;

}  // namespace

extern const Kernel kAvxVnniKernel;
const Kernel kAvxVnniKernel = {
    "avx_vnni", is_supported,        128,        3, 2, 0, multiply_tile, nullptr, nullptr, E::affine, E::day_output,
    E::gates,   E::absolute_maximum, E::quantize};

}  // namespace brainquant
