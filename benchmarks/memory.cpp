// What reading weights costs when nothing is done with them, by footprint and threads: the floor of a streaming step.
#include <benchmark/benchmark.h>

#include <vector>

#include "evaluation/latency.h"
#include "machine_limits.h"
#include "runtime/aligned_buffer.h"
#include "t15.h"

namespace {

using namespace brainquant;
using namespace brainquant::benchmarks;

void reading(benchmark::State& state, std::int64_t bytes, int readings) {
  ThreadTeam team(static_cast<int>(state.range(0)));
  const AlignedBuffer<std::int8_t> memory(bytes);
  std::vector<double> times;
  seconds_to_read(team, memory.data(), bytes, readings);
  for (auto _ : state) {
    times.push_back(seconds_to_read(team, memory.data(), bytes, readings));
    state.SetIterationTime(times.back());
  }
  const LatencySummary summary = summarize_seconds(times);
  state.counters["GB/s"] = static_cast<double>(bytes) / 1e6 / summary.p50_ms;
  state.counters["p50_us"] = 1e3 * summary.p50_ms;
  state.counters["p99_us"] = 1e3 * summary.p99_ms;
}

/// 33.5 MB, or 17.8 MB in 4 bits.
void one_streaming_step(benchmark::State& state, WeightFormat format) {
  reading(state, step_bytes(t15_config(), format), 1);
}
BENCHMARK_CAPTURE(one_streaming_step, int8, WeightFormat::int8)->ArgName("threads")->Arg(1)->Arg(2)->UseManualTime();
BENCHMARK_CAPTURE(one_streaming_step, int4, WeightFormat::int4)->ArgName("threads")->Arg(1)->Arg(2)->UseManualTime();

/// 1.8 MB, read at every step of a layer: 50 times on end, as a trial does.
void one_recurrent_matrix(benchmark::State& state) {
  const DecoderConfig config = t15_config();
  reading(state, 3 * config.n_units * config.n_units, 50);
}
BENCHMARK(one_recurrent_matrix)->ArgName("threads")->Arg(1)->Arg(2)->UseManualTime();

}  // namespace

BENCHMARK_MAIN();
