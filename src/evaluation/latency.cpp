#include "evaluation/latency.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "scoring/quantile.h"
#include "support/seconds_since.h"

namespace brainquant {

namespace {

constexpr double kBinsPerDecade = 20;
constexpr double kLeastMs = 1e-6;

}  // namespace

double step_budget_ms(const DecoderConfig& config) {
  return 1e3 * kSecondsPerBin * static_cast<double>(config.bins_between_steps());
}

LatencySummary summarize_seconds(const std::vector<double>& seconds) {
  LatencySummary summary;
  summary.count = static_cast<std::int64_t>(seconds.size());
  summary.p50_ms = 1e3 * quantile(seconds, 0.5);
  summary.p99_ms = 1e3 * quantile(seconds, 0.99);
  summary.max_ms = 1e3 * quantile(seconds, 1.0);
  return summary;
}

std::vector<LatencyBin> latency_histogram(const std::vector<double>& seconds) {
  const auto edge = [](int k) { return std::pow(10.0, static_cast<double>(k) / kBinsPerDecade); };
  std::map<int, std::int64_t> counts;
  for (const double time : seconds) {
    const double ms = std::max(1e3 * time, kLeastMs);
    int k = static_cast<int>(std::floor(kBinsPerDecade * std::log10(ms)));
    // The logarithm may be rounded over an edge.
    while (ms < edge(k)) --k;
    while (ms >= edge(k + 1)) ++k;
    ++counts[k];
  }
  std::vector<LatencyBin> bins;
  if (counts.empty()) return bins;
  for (int k = counts.begin()->first; k <= counts.rbegin()->first; ++k) {
    const auto found = counts.find(k);
    bins.push_back({edge(k), edge(k + 1), found == counts.end() ? 0 : found->second});
  }
  return bins;
}

StepReport report_steps(const StepTimes& times, double budget_ms) {
  const auto late =
      std::count_if(times.work.begin(), times.work.end(), [&](double seconds) { return 1e3 * seconds > budget_ms; });
  return {summarize_seconds(times.work), summarize_seconds(times.last_bin), budget_ms, late,
          latency_histogram(times.work)};
}

Logits decode_bin_by_bin(Engine& engine, const EngineInput& input, StepTimes& times, double& seconds,
                         const StepListener& on_step) {
  const DecoderConfig& config = engine.config();
  Logits logits;
  logits.classes = config.n_classes;
  logits.values.resize(static_cast<std::size_t>(config.steps_of(input.bins) * logits.classes));
  const SteadyClock::time_point start = SteadyClock::now();
  const std::unique_ptr<EngineState> state = engine.make_state(input.session_index);
  seconds += seconds_since(start);
  double work = 0;
  std::vector<float> step(static_cast<std::size_t>(logits.classes));
  for (std::int64_t bin = 0; bin < input.bins; ++bin) {
    const SteadyClock::time_point pushed = SteadyClock::now();
    const bool complete = engine.push(*state, input.features + bin * config.n_input_features, step.data());
    const double push_seconds = seconds_since(pushed);
    work += push_seconds;
    seconds += push_seconds;
    if (complete) {
      if (on_step) on_step(step.data(), bin + 1);
      std::copy(step.begin(), step.end(), logits.values.begin() + logits.steps * logits.classes);
      if (logits.steps > 0) {
        times.work.push_back(work);
        times.last_bin.push_back(push_seconds);
      }
      ++logits.steps;
      work = 0;
    }
    const SteadyClock::time_point idle = SteadyClock::now();
    engine.prepare(*state);
    const double idle_seconds = seconds_since(idle);
    work += idle_seconds;
    seconds += idle_seconds;
  }
  return logits;
}

}  // namespace brainquant
