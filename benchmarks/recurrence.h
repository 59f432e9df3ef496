// The recurrence of whole trials by itself: what of a trial's time cannot be one large product.
#pragma once

#include <functional>
#include <vector>

#include "packed_case.h"
#include "stopwatch.h"

namespace brainquant::benchmarks {

/// Seconds of one layer's steps: recurrent product, gates, quantization and a barrier, split over the team as in the
/// engine. Static scales.
inline double seconds_of_recurrence(PackedCase& layer, ThreadTeam& team, std::int64_t units, std::int64_t steps) {
  const Kernel& kernel = layer.kernel;
  AlignedBuffer<float> h(units), gate_inputs(3 * units);
  AlignedBuffer<std::uint8_t> next(units);
  const std::function<void(int)> work = [&](int member) {
    const std::int64_t blocks = units / kBlockChannels;
    const std::int64_t begin = blocks * member / team.size(), end = blocks * (member + 1) / team.size();
    const std::int64_t first = begin * kBlockChannels, count = (end - begin) * kBlockChannels;
    std::int32_t* acc = layer.acc.data() + 3 * first;
    const std::uint8_t* row = layer.activations.data();
    for (std::int64_t t = 0; t < steps; ++t) {
      layer.weights.multiply({3 * begin, 3 * end}, {&row, 1}, {acc, 3 * units});
      kernel.gates(acc, 0.01F, layer.weights.scales.data() + 3 * first, layer.weights.biases.data() + 3 * first,
                   gate_inputs.data() + 3 * first, count, h.data() + first);
      kernel.quantize(h.data() + first, 127.0F, count, next.data() + first);
      team.barrier();
    }
  };
  const Stopwatch watch;
  team.run(work);
  return watch.seconds();
}

}  // namespace brainquant::benchmarks
