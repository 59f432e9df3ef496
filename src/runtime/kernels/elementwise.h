// The elementwise parts of docs/numerics.md over vectors of a type V. Included by each kernel's source, which is
// compiled for its own instruction set; everything here has internal linkage so that no other source can end up with
// that code.
//
// V::width floats; V::Float and V::Int are its registers; the operations are the ones that these functions call. V::min
// and V::max are std::min and std::max to the bit, with NaN too: where an overflow made one, every kernel has it.
#pragma once

#include <cstdint>

#include "runtime/kernel_constants.h"
#include "runtime/kernels/kernel.h"

namespace brainquant {
namespace {

template <typename V>
struct Elementwise {
  using Float = typename V::Float;

  static Float tanh(Float value) {
    using namespace numerics;
    const Float x = V::min(V::max(value, V::all(-kTanhLimit)), V::all(kTanhLimit));
    const Float u = V::multiply(x, x);
    Float p = V::add(V::multiply(V::all(kTanhP3), u), V::all(kTanhP2));
    p = V::add(V::multiply(p, u), V::all(kTanhP1));
    p = V::add(V::multiply(p, u), V::all(kTanhP0));
    Float q = V::add(V::multiply(V::all(kTanhQ4), u), V::all(kTanhQ3));
    q = V::add(V::multiply(q, u), V::all(kTanhQ2));
    q = V::add(V::multiply(q, u), V::all(kTanhQ1));
    q = V::add(V::multiply(q, u), V::all(1.0f));
    return V::divide(V::multiply(x, p), q);
  }

  static Float sigmoid(Float value) {
    const Float half = V::all(0.5f);
    return V::add(V::multiply(half, tanh(V::multiply(half, value))), half);
  }

  static Float affine_at(const std::int32_t* acc, Float row_scale, const float* scales, const float* biases) {
    const Float scale = V::multiply(row_scale, V::load(scales));
    return V::add(V::multiply(V::to_float(acc), scale), V::load(biases));
  }

  static void affine(const std::int32_t* acc, float row_scale, const float* scales, const float* biases,
                     std::int64_t count, float* out) {
    const Float s = V::all(row_scale);
    for (std::int64_t i = 0; i < count; i += V::width) {
      V::store(out + i, affine_at(acc + i, s, scales + i, biases + i));
    }
  }

  static void day_output(const std::int32_t* acc, float row_scale, const float* scales, const float* biases,
                         const float* x, std::int64_t count, float* out) {
    const Float s = V::all(row_scale);
    for (std::int64_t i = 0; i < count; i += V::width) {
      const Float v = V::add(affine_at(acc + i, s, scales + i, biases + i), V::load(x + i));
      V::store(out + i, V::divide(v, V::add(V::all(1.0f), V::absolute(v))));
    }
  }

  static void gates(const std::int32_t* acc, float row_scale, const float* scales, const float* biases, const float* gi,
                    std::int64_t unit_count, float* h) {
    const Float s = V::all(row_scale);
    for (std::int64_t unit = 0; unit < unit_count; unit += 16) {
      const std::int64_t block = 3 * unit;  // 16 values of each gate
      for (std::int64_t lane = 0; lane < 16; lane += V::width) {
        const std::int64_t r_at = block + lane;
        const std::int64_t z_at = r_at + 16;
        const std::int64_t n_at = r_at + 32;
        const Float r = sigmoid(V::add(V::load(gi + r_at), affine_at(acc + r_at, s, scales + r_at, biases + r_at)));
        const Float z = sigmoid(V::add(V::load(gi + z_at), affine_at(acc + z_at, s, scales + z_at, biases + z_at)));
        const Float gh_n = affine_at(acc + n_at, s, scales + n_at, biases + n_at);
        const Float n = tanh(V::add(V::load(gi + n_at), V::multiply(r, gh_n)));
        const Float old = V::load(h + unit + lane);
        V::store(h + unit + lane, V::add(n, V::multiply(z, V::subtract(old, n))));
      }
    }
  }

  static float absolute_maximum(const float* values, std::int64_t count) {
    Float maximum = V::all(0.0f);
    for (std::int64_t i = 0; i < count; i += V::width) maximum = V::max(maximum, V::absolute(V::load(values + i)));
    return V::largest(maximum);
  }

  static void quantize(const float* values, float inverse, std::int64_t count, std::uint8_t* out) {
    const Float factor = V::all(inverse);
    for (std::int64_t i = 0; i < count; i += V::width) {
      const Float scaled = V::multiply(V::load(values + i), factor);
      V::store_rounded(out + i, V::min(V::max(V::all(-127.0f), scaled), V::all(127.0f)));
    }
  }

  /// The kernel with all of these in it. To be called in a constinit definition only: code that runs before main()
  /// would run on CPUs that lack the instructions.
  static constexpr Kernel added_to(Kernel kernel) {
    kernel.affine = affine;
    kernel.day_output = day_output;
    kernel.gates = gates;
    kernel.absolute_maximum = absolute_maximum;
    kernel.quantize = quantize;
    return kernel;
  }
};

}  // namespace
}  // namespace brainquant
