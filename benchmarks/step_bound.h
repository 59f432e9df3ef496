// What a streaming step must take at least, measured.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "evaluation/latency.h"
#include "machine_limits.h"
#include "packed_case.h"
#include "stopwatch.h"
#include "t15.h"

namespace brainquant::benchmarks {

/// Seconds: medians.
struct StepBound {
  double reading;   // a loop that only reads the step's weights
  double products;  // the step's products with one row, from weights that stay in the first-level cache
  double slower() const { return std::max(reading, products); }
};

inline StepBound step_bound(const Kernel& kernel, WeightFormat format, ThreadTeam& team) {
  constexpr int kTimes = 400;
  constexpr std::int64_t kInputs = 512, kChannels = 64;  // 32 kB of INT8
  const DecoderConfig config = t15_config();
  const AlignedBuffer<std::int8_t> memory(step_bytes(config, format));
  std::vector<PackedCase> in_cache;
  in_cache.reserve(static_cast<std::size_t>(team.size()));
  for (int i = 0; i < team.size(); ++i) in_cache.emplace_back(kernel, kInputs, kChannels, 1, format);
  const std::int64_t of_a_member = step_macs(config) / (kInputs * kChannels * team.size());
  const std::function<void(int)> multiply = [&](int member) {
    for (std::int64_t i = 0; i < of_a_member; ++i) in_cache[static_cast<std::size_t>(member)].multiply(0, 1);
  };
  std::vector<double> reading, products;
  for (int i = 0; i < kTimes; ++i) {
    reading.push_back(seconds_to_read(team, memory.data(), memory.size(), 1));
  }
  for (int i = 0; i < kTimes; ++i) {
    const Stopwatch watch;
    team.run(multiply);
    products.push_back(watch.seconds());
  }
  return {summarize_seconds(reading).p50_ms / 1e3, summarize_seconds(products).p50_ms / 1e3};
}

}  // namespace brainquant::benchmarks
