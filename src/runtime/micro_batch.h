// A few trials through all layers of a packed model, by the members of a team together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "brainquant/runtime/engine.h"
#include "runtime/day_stage.h"
#include "runtime/native_model.h"
#include "runtime/stretch_rows.h"
#include "runtime/thread_team.h"

namespace brainquant {

/// Works inside one ThreadTeam::run(). The buffers are as large as any micro-batch needs.
class MicroBatch {
 public:
  /// Both must outlive it.
  MicroBatch(const NativeModel& model, ThreadTeam& team);

  /// Up to kTrialsTogether trials, longest first; each gets its logits. Those of a trial whose computation overflowed
  /// are NaN.
  void decode(std::span<const EngineInput* const> trials, std::span<Logits* const> results);

 private:
  /// What belongs to one member: its share of the units, and scratch memory.
  struct Member {
    Member(const NativeModel& model, int member, int members);
    int number;
    int count;
    Share unit_blocks;
    AlignedBuffer<float> outputs;
    AlignedBuffer<std::int32_t> acc;
    PackedMatrix expanded;                    // its blocks of one layer's weight_hh for a stretch, where that pays
    std::vector<const std::uint8_t*> row_at;  // of hidden rows
    // Every member quantizes all units' h for itself: cheaper than waiting for one another a second time in each step.
    AlignedBuffer<std::uint8_t> hidden_rows[2];  // [rows, padded_units], of even and odd layers
    std::vector<float> hidden_scale[2];
    AlignedBuffer<std::uint8_t> carried_rows;  // [layers, trials, padded_units], of the step before the stretch
    std::vector<float> carried_scale;
  };

  bool overflowed(std::size_t trial) const;
  void begin_hidden();
  float quantize_hidden(std::size_t layer, const float* h, std::uint8_t* row) const;
  void work(int member);
  void multiply_inputs(Member& own, std::size_t layer);
  void recur(Member& own, std::size_t layer, std::int64_t begin, std::int64_t end);
  void give_logits(Member& own);

  const NativeModel& model_;
  ThreadTeam& team_;
  std::span<const EngineInput* const> trials_;
  std::span<Logits* const> results_;
  std::int64_t steps_together_ = 0;
  StretchRows rows_;
  DayStage day_stage_;
  AlignedBuffer<float> gate_inputs_;  // [rows, gate_channels]
  std::vector<Member> members_;
  AlignedBuffer<float> hidden_[2];  // [layers, trials, padded_units], of even and odd steps
};

}  // namespace brainquant
