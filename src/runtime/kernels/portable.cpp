// Plain C++ for any CPU, and the fallback where nothing better is there.
#include <cmath>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/int4_groups.h"
#include "runtime/kernels/kernel.h"

namespace brainquant {
namespace {

struct Scalar {
  using Float = float;
  static constexpr int width = 1;
  static Float all(float value) { return value; }
  static Float load(const float* from) { return *from; }
  static void store(float* to, Float value) { *to = value; }
  static Float to_float(const std::int32_t* from) { return static_cast<float>(*from); }
  static Float add(Float a, Float b) { return a + b; }
  static Float subtract(Float a, Float b) { return a - b; }
  static Float multiply(Float a, Float b) { return a * b; }
  static Float divide(Float a, Float b) { return a / b; }
  static Float min(Float a, Float b) { return b < a ? b : a; }
  static Float max(Float a, Float b) { return a < b ? b : a; }
  static Float absolute(Float a) { return std::fabs(a); }
  static float largest(Float a) { return a; }
  static void store_rounded(std::uint8_t* to, Float value) {
    *to = static_cast<std::uint8_t>(static_cast<std::int8_t>(std::nearbyint(value)));
  }
};

void multiply_tile(const TileArguments& t) {
  for (std::int64_t m = 0; m < t.row_count; ++m) {
    const auto* x = reinterpret_cast<const std::int8_t*>(t.rows[m] + t.row_offset);
    for (std::int64_t b = 0; b < t.block_count; ++b) {
      const std::int8_t* w = t.weights + b * t.block_stride;
      std::int32_t sums[kBlockChannels];
      std::int32_t* acc = t.acc + m * t.acc_stride + b * kBlockChannels;
      for (int c = 0; c < kBlockChannels; ++c) sums[c] = acc[c];
      for (std::int64_t g = 0; g < t.quad_count; ++g, w += kQuadBytes) {
        const std::int8_t* xs = x + g * kQuadInputs;
        for (int c = 0; c < kBlockChannels; ++c) {
          sums[c] += xs[0] * w[4 * c] + xs[1] * w[4 * c + 1] + xs[2] * w[4 * c + 2] + xs[3] * w[4 * c + 3];
        }
      }
      for (int c = 0; c < kBlockChannels; ++c) acc[c] = sums[c];
    }
  }
}

void multiply_int4(const TileArguments& t) {
  for_each_group(t, [&](Int4Group group, auto lines) {
    for (std::int64_t b = 0; b < t.block_count; ++b) {
      const std::uint8_t* const scales = group.scales + b * t.block_stride;
      for (std::int64_t m = 0; m < t.row_count; ++m) {
        const auto* x = reinterpret_cast<const std::int8_t*>(t.rows[m] + t.row_offset) + group.quad * kQuadInputs;
        std::int32_t sums[kBlockChannels] = {};
        for (int j = 0; j < lines; ++j, x += kLineQuads * kQuadInputs) {
          const std::uint8_t* const line = group.lines + b * t.block_stride + j * kQuadBytes;
          for (int c = 0; c < kBlockChannels; ++c) {
            for (int i = 0; i < kQuadInputs; ++i) {
              const std::uint8_t byte = line[c * kQuadInputs + i];
              sums[c] += x[i] * (static_cast<std::int8_t>(byte << 4) >> 4) +
                         x[kQuadInputs + i] * (static_cast<std::int8_t>(byte) >> 4);
            }
          }
        }
        std::int32_t* const acc = t.acc + m * t.acc_stride + b * kBlockChannels;
        for (int c = 0; c < kBlockChannels; ++c) acc[c] += sums[c] * scales[c];
      }
    }
  });
}

}  // namespace

extern const Kernel kPortableKernel;
constinit const Kernel kPortableKernel = Elementwise<Scalar>::added_to({.name = "portable",
                                                                        .needs = "",
                                                                        .storage_offset = 0,
                                                                        .int8 = {.name = "int8",
                                                                                 .mr = 1,
                                                                                 .nr = 4 * kBlockChannels,
                                                                                 .kr = kQuadInputs,
                                                                                 .pack = pack_int8,
                                                                                 .multiply_tile = multiply_tile},
                                                                        .int4 = {.name = "int4",
                                                                                 .mr = 1,
                                                                                 .nr = kBlockChannels,
                                                                                 .kr = kQuadInputs,
                                                                                 .pack = pack_int4,
                                                                                 .multiply_tile = multiply_int4}});

}  // namespace brainquant
