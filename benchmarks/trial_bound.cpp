// trial_bound [GMAC/s]: what a whole trial must cost at least on this machine, and what it does cost, as JSON.
//
// The bound is the dense products at the machine's best INT8 rate plus the reading of the recurrent matrices from the
// cores' own caches, both measured here, round by round beside the trial. The rate is our best kernel's, or the
// argument where another library's was higher.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>

#include "machine_limits.h"
#include "packed_case.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/native_engine.h"
#include "stopwatch.h"
#include "t15.h"

namespace {

using namespace brainquant;
using namespace brainquant::benchmarks;

constexpr int kRounds = 15;
constexpr int kReadsOnEnd = 200;  // often enough that the matrix lies where repeated reading puts it

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Layer 0's product over a trial's steps: the largest there is.
double dense_macs_per_second(PackedCase& product, ThreadTeam& team) {
  const std::function<void(int)> work = [&](int member) { product.multiply(member, team.size()); };
  const Stopwatch watch;
  team.run(work);
  return product.macs() / watch.seconds();
}

nlohmann::json bound_of(const QuantizedModel& model, int threads, double peer_macs_per_second) {
  const Kernel& kernel = choose_kernel("");
  const DecoderConfig& config = model.config;
  const TrialCost cost = trial_cost(config, kSmoothedBins);
  const std::int64_t matrix_bytes = 3 * config.n_units * config.n_units;
  ThreadTeam team(threads);
  PackedCase product(kernel, config.step_input_size(), 3 * config.n_units, config.steps_of(kSmoothedBins));
  const AlignedBuffer<std::int8_t> matrix(matrix_bytes);
  const std::unique_ptr<Engine> engine = make_native_engine(model, "", threads);
  const std::vector<float> features = t15_trial(1);
  const EngineInput trial{features.data(), kSmoothedBins, 0};

  double own_rate = 0, read_rate = 0;
  std::vector<double> trial_seconds;
  for (int round = 0; round < kRounds; ++round) {
    own_rate = std::max(own_rate, dense_macs_per_second(product, team));
    for (int i = 0; i < 3; ++i) {
      read_rate = std::max(read_rate, static_cast<double>(matrix_bytes) /
                                          seconds_to_read(team, matrix.data(), matrix_bytes, kReadsOnEnd));
    }
    const Stopwatch watch;
    engine->decode({&trial, 1});
    trial_seconds.push_back(watch.seconds());
  }
  const double rate = std::max(own_rate, peer_macs_per_second);
  const double bound = cost.dense_macs / rate + cost.recurrent_bytes / read_rate;
  return {{"method", model.options.method_name()},
          {"kernel", kernel.name},
          {"threads", threads},
          {"dense_gmac", cost.dense_macs / 1e9},
          {"own_gmac_per_second", own_rate / 1e9},
          {"peer_gmac_per_second", peer_macs_per_second / 1e9},
          {"peak_gmac_per_second_per_thread", peak_macs_per_second(kernel) / 1e9},
          {"recurrent_gb_read", cost.recurrent_bytes / 1e9},
          {"cache_gb_per_second", read_rate / 1e9},
          {"bound_ms", 1e3 * bound},
          {"trial_ms", 1e3 * median(trial_seconds)},
          {"trial_over_bound", median(trial_seconds) / bound}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const double peer = argc > 1 ? 1e9 * std::strtod(argv[1], nullptr) : 0;
    const Checkpoint checkpoint = testing::random_checkpoint(t15_config());
    nlohmann::json results = nlohmann::json::array();
    for (const QuantizationOptions& method : all_methods()) {
      if (method.dtype != Dtype::qint8) continue;
      const QuantizedModel model = testing::quantized(checkpoint, method);
      for (const int threads : {1, 2}) results.push_back(bound_of(model, threads, peer));
    }
    fmt::print("{}\n", results.dump(2));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "trial_bound: {}\n", error.what());
    return 1;
  }
}
