// How long decoding takes when bins come one by one.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/runtime/engine.h"

namespace brainquant {

/// What a step may take: the bins from one step to the next last 80 ms with the baseline's stride of 4.
double step_budget_ms(const DecoderConfig& config);

LatencySummary summarize_seconds(const std::vector<double>& seconds);

/// StepReport::histogram of these times. The edges are 10^(k/20) ms for whole k; what is below a nanosecond counts as
/// one.
std::vector<LatencyBin> latency_histogram(const std::vector<double>& seconds);

/// Times of steps, in seconds. A trial's first step is left out: it takes a whole patch of bins, the others only a
/// stride.
struct StepTimes {
  std::vector<double> work;      // all push() and prepare() from one step's logits to the next
  std::vector<double> last_bin;  // the push() of the bin that completes the step
};

/// What the times say, against what a step may take.
StepReport report_steps(const StepTimes& times, double budget_ms);

/// Called with a step's logits, [n_classes], as soon as they are there; `bins` of the trial have been pushed by then.
using StepListener = std::function<void(const float* logits, std::int64_t bins)>;

/// Decodes a whole trial by push(), with prepare() after each bin, as a live system that idles between bins does. Adds
/// to `times`. Returns its logits and adds the time spent to `seconds`, but for what `on_step` takes.
Logits decode_bin_by_bin(Engine& engine, const EngineInput& input, StepTimes& times, double& seconds,
                         const StepListener& on_step = {});

}  // namespace brainquant
