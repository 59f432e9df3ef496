#include "runtime/native_decode.h"

#include <algorithm>

#include "runtime/micro_batch.h"

namespace brainquant {

TrialDecoder::TrialDecoder(const NativeModel& model, ThreadTeam& team) : model_(model), team_(team) {}

TrialDecoder::~TrialDecoder() = default;

std::vector<Logits> TrialDecoder::decode(std::span<const EngineInput> batch) {
  std::vector<Logits> results(batch.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::int64_t steps = model_.config.steps_of(batch[i].bins);
    results[i] = {steps, model_.config.n_classes,
                  std::vector<float>(static_cast<std::size_t>(steps * model_.config.n_classes))};
    if (steps > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return results[a].steps > results[b].steps; });
  if (!micro_batch_ && !order.empty()) micro_batch_ = std::make_unique<MicroBatch>(model_, team_);
  for (std::size_t first = 0; first < order.size(); first += kTrialsTogether) {
    std::vector<const EngineInput*> trials;
    std::vector<Logits*> logits;
    for (std::size_t k = first; k < std::min<std::size_t>(order.size(), first + kTrialsTogether); ++k) {
      trials.push_back(&batch[order[k]]);
      logits.push_back(&results[order[k]]);
    }
    micro_batch_->decode(trials, logits);
  }
  return results;
}

}  // namespace brainquant
