#include "runtime/day_stage.h"

#include <algorithm>

namespace brainquant {

namespace {

/// Bins of a trial that one member takes through the day layer at a time.
constexpr std::int64_t kBinsTogether = 48;

}  // namespace

DayStage::Member::Member(const NativeModel& model, int member, int members)
    : number(member),
      count(members),
      day(kBinsTogether, model.padded_features),
      bins(kBinsTogether * model.padded_features),
      outputs(kBinsTogether * model.padded_features) {}

DayStage::DayStage(const NativeModel& model, int members) : model_(model) {
  const std::int64_t most_bins =
      kRowsTogether * model_.config.bins_between_steps() + kTrialsTogether * model_.config.bins_per_step();
  for (DayOutputs& outputs : outputs_) {
    outputs.bytes = AlignedBuffer<std::uint8_t>(model_.is_static() ? most_bins * model_.padded_features : 0);
    outputs.values = AlignedBuffer<float>(model_.is_static() ? 0 : most_bins * model_.padded_features);
    outputs.maximum.resize(static_cast<std::size_t>(model_.is_static() ? 0 : most_bins));
  }
  step_rows_ = AlignedBuffer<std::uint8_t>(model_.is_static() ? 0 : kRowsTogether * model_.step_row_bytes());
  row_at_.resize(kRowsTogether);
  scale_.resize(kRowsTogether);
  for (int member = 0; member < members; ++member) members_.emplace_back(model_, member, members);
}

void DayStage::begin(std::span<const EngineInput* const> trials, std::span<Logits* const> results,
                     std::int64_t steps_together) {
  trials_ = trials;
  results_ = results;
  steps_together_ = steps_together;
  for (Member& member : members_) member.overflowed.fill(false);
}

bool DayStage::overflowed(std::size_t trial) const {
  return std::any_of(members_.begin(), members_.end(), [&](const Member& m) { return m.overflowed[trial]; });
}

/// Bins that so many steps in a row look at.
std::int64_t DayStage::bins_of(std::int64_t steps) const {
  return (steps - 1) * model_.config.bins_between_steps() + model_.config.bins_per_step();
}

// Whether a bin that some step looks at has a day output y [bins, padded_features] that is not finite.
bool DayStage::day_overflowed(const float* y, std::int64_t first, std::int64_t bins) const {
  const std::int64_t width = model_.padded_features;
  if (numerics::all_finite(y, bins * width)) return false;
  for (std::int64_t t = 0; t < bins; ++t) {
    const bool used = (first + t) % model_.config.bins_between_steps() < model_.config.bins_per_step();
    if (used && !numerics::all_finite(y + t * width, model_.config.n_input_features)) return true;
  }
  return false;
}

void DayStage::repeat_bins(const DayOutputs& from, std::int64_t at, std::int64_t bins, DayOutputs& to,
                           std::int64_t to_row) const {
  const std::int64_t width = model_.padded_features;
  if (model_.is_static()) {
    std::copy_n(from.bytes.data() + at * width, bins * width, to.bytes.data() + to_row * width);
    return;
  }
  std::copy_n(from.values.data() + at * width, bins * width, to.values.data() + to_row * width);
  std::copy_n(from.maximum.begin() + at, bins, to.maximum.begin() + to_row);
}

// Bins of a trial, from its bin `first` on, to `output` from its row `at` on.
void DayStage::run_piece(Member& own, std::size_t trial, std::int64_t first, std::int64_t bins, DayOutputs& output,
                         std::int64_t at) const {
  const std::int64_t width = model_.padded_features;
  const std::int64_t features = model_.config.n_input_features;
  const float* x = trials_[trial]->features + first * features;
  if (width != features) {
    for (std::int64_t t = 0; t < bins; ++t) std::copy_n(x + t * features, features, own.bins.data() + t * width);
    x = own.bins.data();
  }
  const Share all{0, width / kBlockChannels};
  if (model_.is_static()) {
    model_.day_layer(trials_[trial]->session_index, x, bins, all, own.day, own.outputs.data());
    own.overflowed[trial] |= day_overflowed(own.outputs.data(), first, bins);
    const float inverse = model_.static_step_scale().inverse;
    model_.kernel.quantize(own.outputs.data(), inverse, bins * width, output.bytes.data() + at * width);
    return;
  }
  float* y = output.values.data() + at * width;
  model_.day_layer(trials_[trial]->session_index, x, bins, all, own.day, y);
  own.overflowed[trial] |= day_overflowed(y, first, bins);
  for (std::int64_t t = 0; t < bins; ++t) {
    output.maximum[static_cast<std::size_t>(at + t)] = model_.kernel.absolute_maximum(y + t * width, width);
  }
}

void DayStage::run_day_layers(int member, int stretch, std::int64_t step_begin, std::int64_t step_end) {
  Member& own = members_[static_cast<std::size_t>(member)];
  const int set = stretch % 2;
  const std::int64_t known =
      step_begin == 0 ? 0
                      : std::max<std::int64_t>(0, model_.config.bins_per_step() - model_.config.bins_between_steps());
  const std::int64_t known_at = steps_together_ * model_.config.bins_between_steps();
  std::int64_t piece = 0;
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    const std::int64_t steps = std::min(step_end, results_[i]->steps) - step_begin;
    if (steps <= 0) break;
    const std::int64_t row = day_row(static_cast<std::int64_t>(i));
    if (known > 0 && piece % own.count == own.number) {
      repeat_bins(outputs_[1 - set], row + known_at, known, outputs_[set], row);
    }
    const std::int64_t bins = bins_of(steps);
    const std::int64_t first_bin = step_begin * model_.config.bins_between_steps();
    for (std::int64_t begin = known; begin < bins; begin += kBinsTogether, ++piece) {
      if (piece % own.count != own.number) continue;
      run_piece(own, i, first_bin + begin, std::min(kBinsTogether, bins - begin), outputs_[set], row + begin);
    }
  }
}

void DayStage::quantize_patches(int member, int stretch, const StretchRows& rows) {
  const Member& own = members_[static_cast<std::size_t>(member)];
  const DayOutputs& output = outputs_[stretch % 2];
  const Share share = share_of(rows.count(), own.number, own.count);
  const std::int64_t width = model_.padded_features;
  for (std::int64_t row = share.begin; row < share.end; ++row) {
    const auto [trial, step] = rows[row];
    const std::int64_t bin = day_row(trial) + (step - rows.first_step()) * model_.config.bins_between_steps();
    const auto r = static_cast<std::size_t>(row);
    if (model_.is_static()) {
      row_at_[r] = output.bytes.data() + bin * width;
      scale_[r] = model_.activation_scales->step_input;
      continue;
    }
    const auto first = output.maximum.begin() + bin;
    const float maximum = *std::max_element(first, first + model_.config.bins_per_step());
    const numerics::RowScale scale = numerics::dynamic_row_scale(maximum);
    std::uint8_t* to = step_rows_.data() + row * model_.step_row_bytes();
    model_.kernel.quantize(output.values.data() + bin * width, scale.inverse, model_.step_row_bytes(), to);
    row_at_[r] = to;
    scale_[r] = scale.scale;
  }
}

}  // namespace brainquant
