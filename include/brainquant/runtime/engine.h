// The interface that every way of running a decoder has: whole trials in batches, or bin by bin with explicit state.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "brainquant/model/config.h"

namespace brainquant {

/// A smoothed trial as an engine takes it. The memory is the caller's.
struct EngineInput {
  const float* features = nullptr;  // [bins, n_input_features], after smoothing
  std::int64_t bins = 0;
  std::int64_t session_index = 0;  // of the day layer
};

/// Logits of one trial.
struct Logits {
  std::int64_t steps = 0;
  std::int64_t classes = 0;
  std::vector<float> values;  // [steps, classes]
};

/// Everything an engine remembers between bins of one trial. Made, copied and reset only through its engine.
class EngineState {
 public:
  virtual ~EngineState() = default;
};

class Engine {
 public:
  virtual ~Engine() = default;

  /// "reference", "libtorch" or "native".
  virtual std::string name() const = 0;
  /// The CPU instructions its kernels use ("avx512_vnni"), or what LibTorch reports.
  virtual std::string instructions() const = 0;
  virtual const DecoderConfig& config() const = 0;

  /// Logits of each trial, config().steps_of(bins) steps. For INT8 in `reference` and `native` each trial's logits are
  /// the same bit for bit, whatever else is in the batch. A trial whose computation overflowed, which takes weights and
  /// features near kLargestMagnitude, has logits that are not finite, never others that look right.
  virtual std::vector<Logits> decode(std::span<const EngineInput> batch) = 0;

  /// A state at the start of a trial: every layer at h0, no bins.
  virtual std::unique_ptr<EngineState> make_state(std::int64_t session_index) const = 0;
  virtual void reset(EngineState& state, std::int64_t session_index) const = 0;
  virtual std::unique_ptr<EngineState> copy(const EngineState& state) const = 0;

  /// Takes one smoothed bin [n_input_features]. Returns true when it completes a step; its logits are then in `logits`
  /// [n_classes]. The same numbers as decode() of the whole trial (INT8: the same bits).
  virtual bool push(EngineState& state, const float* bin, float* logits) = 0;
  /// Does ahead of time what the next step needs and is known already. Called or not, the results are the same; push()
  /// does what is left to do.
  virtual void prepare(EngineState& /*state*/) {}
};

}  // namespace brainquant
