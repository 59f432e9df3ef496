// Trials through the decoder: reading, smoothing, the engine and what is done with the logits overlap, each on a thread
// of its own, with bounded queues between them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "brainquant/runtime/engine.h"
#include "brainquant/support/run_context.h"
#include "evaluation/latency.h"
#include "model/dataset.h"

namespace brainquant {

/// A decoded trial. Its `trial.features` are gone.
struct DecodedTrial {
  Trial trial;
  Logits logits;             // no steps if the trial is too short for one
  double model_seconds = 0;  // its share of the time its batch spent in the engine, by smoothed bins
  double cpu_seconds = 0;    // of these, how long the decoding thread had a core
};

/// Watches a streaming run, on the thread that decodes.
class StreamWatcher {
 public:
  virtual ~StreamWatcher() = default;
  virtual void begin(const Trial& trial) = 0;
  virtual void step(const float* logits, std::int64_t bins) = 0;  // as StepListener
  virtual void end() = 0;
};

struct PipelineOptions {
  std::int64_t batch_size = 8;
  bool streaming = false;  // by push() and prepare(), a trial at a time
  /// Trials are looked at this far ahead (bytes of smoothed features, at least one batch) to make batches of like
  /// lengths.
  std::size_t window_bytes = std::size_t{8} << 20;
  StreamWatcher* watcher = nullptr;  // only when streaming
};

/// Called with the trials of one batch, on one thread that is not the caller's, one call at a time. What it throws ends
/// the run.
using DecodedBatch = std::function<void(std::vector<DecodedTrial>)>;

/// Throws WorkError naming the trial if one of its logits is NaN or infinite.
void require_finite_logits(const std::string& label, std::span<const float> logits);

/// Decodes the trials `order` of the data set; they come out in an order that depends on their lengths. `times` is
/// filled when streaming. Throws what reading, the engine or `consume` throws; WorkError naming a trial whose logits
/// are not finite; Interrupted. All that was decoded before a failure has been given to `consume` by then.
void run_pipeline(Dataset& dataset, const std::vector<std::size_t>& order, Engine& engine,
                  const PipelineOptions& options, const DecodedBatch& consume, StepTimes& times,
                  const RunContext& context = {});

/// Times single steps over the first trials, until `steps` have been seen or there are no more trials.
StepTimes measure_steps(Dataset& dataset, Engine& engine, std::int64_t steps, const RunContext& context = {});

}  // namespace brainquant
