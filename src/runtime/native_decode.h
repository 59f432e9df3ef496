// Whole trials through a packed model: several trials side by side, a stretch of steps at a time.
#pragma once

#include <span>
#include <vector>

#include "brainquant/runtime/engine.h"
#include "runtime/native_model.h"

namespace brainquant {

/// Logits of each trial. Trials of similar length share their recurrent products; results do not depend on which.
std::vector<Logits> decode_trials(const NativeModel& model, ThreadTeam& team, std::span<const EngineInput> batch);

}  // namespace brainquant
