// Bin by bin through a packed model: what can be formed before a step's last bin is formed then.
#pragma once

#include <memory>

#include "brainquant/runtime/engine.h"
#include "runtime/native_model.h"

namespace brainquant {

struct NativeState : EngineState {
  explicit NativeState(const NativeModel& model);

  std::int64_t session_index = 0;
  std::int64_t bins_to_skip = 0;      // until the next patch begins (a stride longer than the patch)
  std::int64_t bins_there = 0;        // of the current patch
  AlignedBuffer<std::uint8_t> patch;  // [bins_per_step, padded_features], quantized; dynamic: filled at the last bin
  AlignedBuffer<float> patch_values;  // dynamic: the same in fp32
  std::vector<float> patch_maximum;   // dynamic: largest magnitude of each bin
  AlignedBuffer<float> hidden;        // [layers, padded_units]
  AlignedBuffer<std::uint8_t> rows;   // the same, quantized
  std::vector<float> row_scale;       // [layers]

  bool overflowed = false;  // a NaN was met since the start of the trial

  // Formed ahead.
  bool recurrent_products_formed = false;
  AlignedBuffer<std::int32_t> recurrent_acc;  // [layers, gate_channels]
  std::int64_t bins_summed = 0;               // static: bins of the patch that step_acc has
  AlignedBuffer<std::int32_t> step_acc;       // [gate_channels], layer 0's input product

  // Scratch.
  AlignedBuffer<float> bin;               // [padded_features]
  AlignedBuffer<float> day_output;        // [padded_features]
  AlignedBuffer<std::int32_t> input_acc;  // [gate_channels]
  AlignedBuffer<float> gate_inputs;       // [gate_channels]
  AlignedBuffer<std::int32_t> out_acc;
  AlignedBuffer<float> outputs;
};

void reset_state(const NativeModel& model, NativeState& state, std::int64_t session_index);

/// Engine::push and Engine::prepare.
class NativeStream {
 public:
  NativeStream(const NativeModel& model, ThreadTeam& team);
  bool push(NativeState& state, const float* bin, float* logits);
  void prepare(NativeState& state);

 private:
  void form_ahead(NativeState& state, int member);
  void add_bins(NativeState& state, std::int64_t end, int member);
  void take_bin(NativeState& state, int member);
  void step(NativeState& state, int member);
  void quantize_hidden(NativeState& state, std::size_t layer, int member);

  const NativeModel& model_;
  ThreadTeam& team_;
  std::vector<DayScratch> day_;        // per member
  std::vector<float> member_maximum_;  // per member, two sets by turns
};

}  // namespace brainquant
