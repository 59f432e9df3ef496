// Whole trials through a packed model: several trials side by side, a stretch of steps at a time.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "brainquant/runtime/engine.h"
#include "runtime/native_model.h"

namespace brainquant {

class MicroBatch;

/// Keeps its buffers from one batch to the next; they are made with the first one. Not for use by several threads at
/// once.
class TrialDecoder {
 public:
  /// Both must outlive it.
  TrialDecoder(const NativeModel& model, ThreadTeam& team);
  ~TrialDecoder();
  TrialDecoder(const TrialDecoder&) = delete;
  TrialDecoder& operator=(const TrialDecoder&) = delete;

  /// Logits of each trial. Trials of similar length share their recurrent products; results do not depend on which.
  std::vector<Logits> decode(std::span<const EngineInput> batch);

 private:
  const NativeModel& model_;
  ThreadTeam& team_;
  std::unique_ptr<MicroBatch> micro_batch_;
};

}  // namespace brainquant
