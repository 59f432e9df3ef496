// The first stage of a micro-batch: day layers, and the steps' patches quantized as layer 0 takes them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "brainquant/runtime/engine.h"
#include "runtime/aligned_buffer.h"
#include "runtime/native_model.h"
#include "runtime/stretch_rows.h"

namespace brainquant {

/// Members of a team work on it together: each does its share of run_day_layers(), and after a barrier its share of
/// quantize_patches(). The buffers are as large as any stretch needs.
class DayStage {
 public:
  DayStage(const NativeModel& model, int members);

  /// Begins a micro-batch of up to kTrialsTogether trials, longest first, so many steps a stretch.
  void begin(std::span<const EngineInput* const> trials, std::span<Logits* const> results, std::int64_t steps_together);

  /// The day layer for the steps [step_begin, step_end), the stretch-th stretch. Steps overlap: the first bins of a
  /// stretch are the last ones of the stretch before, in the other set of buffers.
  void run_day_layers(int member, int stretch, std::int64_t step_begin, std::int64_t step_end);
  /// rows() and scales() of the stretch.
  void quantize_patches(int member, int stretch, const StretchRows& rows);

  /// Layer 0's input, row by row: bytes [step_row_bytes()] and scale.
  const std::uint8_t* const* rows() const { return row_at_.data(); }
  const std::vector<float>& scales() const { return scale_; }
  /// Whether trial i's day layer met a NaN in a bin that some step looks at.
  bool overflowed(std::size_t trial) const;

 private:
  /// What belongs to one member.
  struct Member {
    Member(const NativeModel& model, int member, int members);
    int number;
    int count;
    DayScratch day;
    AlignedBuffer<float> bins;
    AlignedBuffer<float> outputs;
    std::array<bool, kTrialsTogether> overflowed{};  // as far as this member did the trial's day layer
  };
  /// The day layer's outputs in one stretch: of each trial from the first bin of the stretch's first step, day_row(i)
  /// rows down.
  struct DayOutputs {
    AlignedBuffer<std::uint8_t> bytes;  // static: quantized
    AlignedBuffer<float> values;        // dynamic: in fp32,
    std::vector<float> maximum;         // and the largest magnitude of each bin
  };

  std::int64_t bins_of(std::int64_t steps) const;
  std::int64_t day_row(std::int64_t trial) const { return trial * bins_of(steps_together_); }
  bool day_overflowed(const float* y, std::int64_t first, std::int64_t bins) const;
  void repeat_bins(const DayOutputs& from, std::int64_t at, std::int64_t bins, DayOutputs& to,
                   std::int64_t to_row) const;
  void run_piece(Member& own, std::size_t trial, std::int64_t first, std::int64_t bins, DayOutputs& output,
                 std::int64_t at) const;

  const NativeModel& model_;
  std::span<const EngineInput* const> trials_;
  std::span<Logits* const> results_;
  std::int64_t steps_together_ = 0;
  std::vector<Member> members_;
  DayOutputs outputs_[2];                  // in even and odd stretches
  AlignedBuffer<std::uint8_t> step_rows_;  // dynamic: the quantized patches
  std::vector<const std::uint8_t*> row_at_;
  std::vector<float> scale_;
};

}  // namespace brainquant
