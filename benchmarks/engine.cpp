// The native engine on the published decoder's size: a whole trial, a batch, the recurrence's share, and steps bin by
// bin.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "evaluation/latency.h"
#include "recurrence.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/native_engine.h"
#include "step_bound.h"
#include "t15.h"

namespace {

using namespace brainquant;
using namespace brainquant::benchmarks;

const QuantizedModel& model_of(const QuantizationOptions& method) {
  static std::string name;
  static QuantizedModel model;  // one at a time: 35 MB each, and making one takes a second
  if (name != method.method_name()) {
    model = testing::quantized(testing::random_checkpoint(t15_config()), method);
    name = method.method_name();
  }
  return model;
}

void trials(benchmark::State& state, const QuantizationOptions& method, int threads, int count) {
  const std::unique_ptr<Engine> engine = make_native_engine(model_of(method), "", threads);
  std::vector<std::vector<float>> features;
  std::vector<EngineInput> batch;
  for (int i = 0; i < count; ++i) features.push_back(t15_trial(static_cast<std::uint32_t>(i)));
  for (const std::vector<float>& trial : features) batch.push_back({trial.data(), kSmoothedBins, 0});
  engine->decode(batch);
  for (auto _ : state) benchmark::DoNotOptimize(engine->decode(batch));
  state.counters["trials/s"] =
      benchmark::Counter(static_cast<double>(count * state.iterations()), benchmark::Counter::kIsRate);
  state.SetLabel(engine->instructions());
}

/// An iteration is a trial; its counters are of its steps. share_of_bound is how much of a step's work the slower of
/// its bounds takes.
void streaming(benchmark::State& state, const QuantizationOptions& method, int threads) {
  StepBound bound;
  {
    ThreadTeam team(threads);
    const WeightFormat format = method.has_4_bit_weights() ? WeightFormat::int4 : WeightFormat::int8;
    bound = step_bound(choose_kernel(""), format, team);
  }
  const std::unique_ptr<Engine> engine = make_native_engine(model_of(method), "", threads);
  const std::vector<float> features = t15_trial(1);
  StepTimes times;
  for (auto _ : state) {
    double seconds = 0;
    decode_bin_by_bin(*engine, {features.data(), kSmoothedBins, 0}, times, seconds);
    state.SetIterationTime(seconds);
  }
  const LatencySummary work = summarize_seconds(times.work), last = summarize_seconds(times.last_bin);
  state.counters["work_p50_us"] = 1e3 * work.p50_ms;
  state.counters["work_p99_us"] = 1e3 * work.p99_ms;
  state.counters["reading_us"] = 1e6 * bound.reading;
  state.counters["products_us"] = 1e6 * bound.products;
  state.counters["share_of_bound"] = 1e3 * bound.slower() / work.p50_ms;
  state.counters["last_bin_p50_us"] = 1e3 * last.p50_ms;
  state.counters["last_bin_p99_us"] = 1e3 * last.p99_ms;
  state.SetLabel(engine->instructions());
}

/// All layers' steps of one trial; beside trial:1 it says what share of a trial the recurrence takes.
void recurrence(benchmark::State& state, int threads) {
  const DecoderConfig config = t15_config();
  ThreadTeam team(threads);
  PackedCase layer(choose_kernel(""), config.n_units, 3 * config.n_units, 1);
  for (auto _ : state) {
    double seconds = 0;
    for (std::int64_t k = 0; k < config.n_layers; ++k) {
      seconds += seconds_of_recurrence(layer, team, config.n_units, config.steps_of(kSmoothedBins));
    }
    state.SetIterationTime(seconds);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto add = [](const std::string& name, auto run) {
    return benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMillisecond);
  };
  std::vector<QuantizationOptions> methods = all_methods();
  methods.push_back(methods.back());
  methods.back().dtype = Dtype::qint4;
  methods.back().weight_rounding = WeightRounding::nearest;
  for (const QuantizationOptions& method : methods) {
    if (method.dtype == Dtype::float16) continue;
    for (const int threads : {1, 2}) {
      const std::string at = fmt::format("{}/threads:{}", method.method_name(), threads);
      for (const int count : {1, 16}) {
        add(fmt::format("{}/trials:{}", at, count), [=](benchmark::State& state) {
          trials(state, method, threads, count);
        })->UseRealTime();
      }
      add(at + "/streaming", [=](benchmark::State& state) { streaming(state, method, threads); })->UseManualTime();
    }
  }
  for (const int threads : {1, 2}) {
    add(fmt::format("recurrence/threads:{}", threads), [=](benchmark::State& state) {
      recurrence(state, threads);
    })->UseManualTime();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
