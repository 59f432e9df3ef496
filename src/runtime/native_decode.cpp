#include "runtime/native_decode.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>

namespace brainquant {

namespace {

/// Trials decoded side by side. Docs: docs/performance.md, "Trials side by side".
constexpr std::int64_t kTrialsTogether = 8;
/// Rows (a trial's step each) that pass through all layers before the next rows begin: the buffers between layers stay
/// in cache, and the weights are read once for so many rows.
constexpr std::int64_t kRowsTogether = 128;
/// Bins of a trial that one member takes through the day layer at a time.
constexpr std::int64_t kBinsTogether = 48;

}  // namespace

/// Members of the team work on a few trials together inside one run(). The buffers are as large as any micro-batch
/// needs.
class TrialDecoder::MicroBatch {
 public:
  MicroBatch(const NativeModel& model, ThreadTeam& team)
      : model_(model), team_(team), gate_inputs_(kRowsTogether * model.gate_channels) {
    const std::int64_t bins =
        kRowsTogether * model_.config.bins_between_steps() + kTrialsTogether * model_.config.bins_per_step();
    for (DayOutputs& outputs : day_outputs_) {
      outputs.bytes = AlignedBuffer<std::uint8_t>(model_.is_static() ? bins * model_.padded_features : 0);
      outputs.values = AlignedBuffer<float>(model_.is_static() ? 0 : bins * model_.padded_features);
      outputs.maximum.resize(static_cast<std::size_t>(model_.is_static() ? 0 : bins));
    }
    step_rows_ = AlignedBuffer<std::uint8_t>(model_.is_static() ? 0 : kRowsTogether * model_.step_row_bytes());
    row_at_.resize(kRowsTogether);
    step_scale_.resize(kRowsTogether);
    for (auto& hidden : hidden_)
      hidden = AlignedBuffer<float>(model_.config.n_layers * kTrialsTogether * model_.padded_units);
    for (int member = 0; member < team_.size(); ++member) members_.emplace_back(model_, member, team_.size());
    rows_.reserve(kRowsTogether);
    first_row_.reserve(kRowsTogether + 1);
  }

  /// Up to kTrialsTogether trials, longest first; each gets its logits.
  void decode(std::span<const EngineInput* const> trials, std::span<Logits* const> results) {
    trials_ = trials;
    results_ = results;
    steps_together_ = kRowsTogether / static_cast<std::int64_t>(trials_.size());
    begin_hidden();
    for (Member& member : members_) member.overflowed.fill(false);
    team_.run([this](int member) { work(member); });
    for (std::size_t i = 0; i < results_.size(); ++i) {
      if (!overflowed(i)) continue;
      std::fill(results_[i]->values.begin(), results_[i]->values.end(), std::numeric_limits<float>::quiet_NaN());
    }
  }

 private:
  /// What belongs to one member: its share of the units, and scratch memory.
  struct Member {
    Member(const NativeModel& model, int member, int members)
        : number(member),
          count(members),
          unit_blocks(share_of(model.unit_blocks, member, members)),
          day(kBinsTogether, model.padded_features),
          bins(kBinsTogether * model.padded_features),
          outputs(std::max(kBinsTogether * model.padded_features, model.out_weight.channels())),
          acc(std::max({kRowsTogether * model.largest_nr(), kTrialsTogether * model.gate_channels,
                        kRowsTogether * model.out_weight.channels()})),
          row_at(kRowsTogether),
          carried_rows(model.config.n_layers * kTrialsTogether * model.padded_units),
          carried_scale(static_cast<std::size_t>(model.config.n_layers * kTrialsTogether)) {
      for (int i = 0; i < 2; ++i) {
        hidden_rows[i] = AlignedBuffer<std::uint8_t>(kRowsTogether * model.padded_units);
        hidden_scale[i].resize(kRowsTogether);
      }
    }
    int number;
    int count;
    Share unit_blocks;
    DayScratch day;
    AlignedBuffer<float> bins;
    AlignedBuffer<float> outputs;
    AlignedBuffer<std::int32_t> acc;
    std::vector<const std::uint8_t*> row_at;  // of hidden rows
    // Every member quantizes all units' h for itself: cheaper than waiting for one another a second time in each step.
    AlignedBuffer<std::uint8_t> hidden_rows[2];  // [rows, padded_units], of even and odd layers
    std::vector<float> hidden_scale[2];
    AlignedBuffer<std::uint8_t> carried_rows;  // [layers, trials, padded_units], of the step before the stretch
    std::vector<float> carried_scale;
    std::array<bool, kTrialsTogether> overflowed{};  // a trial's day layer, as far as this member did it
  };

  /// The day layer's outputs in one stretch: of each trial from the first bin of the stretch's first step, day_row(i)
  /// rows down.
  struct DayOutputs {
    AlignedBuffer<std::uint8_t> bytes;  // static: quantized
    AlignedBuffer<float> values;        // dynamic: in fp32,
    std::vector<float> maximum;         // and the largest magnitude of each bin
  };

  /// Whether trial i's computation met a NaN. In a hidden state it stays until the trial's last step.
  bool overflowed(std::size_t i) const {
    for (const Member& member : members_) {
      if (member.overflowed[i]) return true;
    }
    const std::int64_t units = model_.padded_units;
    const float* states = hidden_[(results_[i]->steps - 1) % 2].data() + static_cast<std::int64_t>(i) * units;
    for (std::int64_t k = 0; k < model_.config.n_layers; ++k) {
      if (!numerics::all_finite(states + k * kTrialsTogether * units, units)) return true;
    }
    return false;
  }

  /// Whether a bin that some step looks at has a day output y [bins, padded_features] that is not finite.
  bool day_overflowed(const float* y, std::int64_t first, std::int64_t bins) const {
    const std::int64_t width = model_.padded_features;
    if (numerics::all_finite(y, bins * width)) return false;
    for (std::int64_t t = 0; t < bins; ++t) {
      const bool used = (first + t) % model_.config.bins_between_steps() < model_.config.bins_per_step();
      if (used && !numerics::all_finite(y + t * width, model_.config.n_input_features)) return true;
    }
    return false;
  }

  std::int64_t day_row(std::int64_t trial) const { return trial * bins_of(steps_together_); }

  /// Bins that so many steps in a row look at.
  std::int64_t bins_of(std::int64_t steps) const {
    return (steps - 1) * model_.config.bins_between_steps() + model_.config.bins_per_step();
  }

  void begin_hidden() {
    const std::int64_t units = model_.padded_units;
    for (std::size_t k = 0; k < model_.weight_hh.size(); ++k) {
      for (std::size_t i = 0; i < trials_.size(); ++i) {
        const std::size_t at = k * kTrialsTogether + i;
        std::copy(model_.h0.begin(), model_.h0.end(), hidden_[1].data() + static_cast<std::int64_t>(at) * units);
        for (Member& member : members_) {
          member.carried_scale[at] =
              quantize_hidden(k, model_.h0.data(), member.carried_rows.data() + static_cast<std::int64_t>(at) * units);
        }
      }
    }
  }

  /// Quantizes all units' h of a layer and returns the scale.
  float quantize_hidden(std::size_t layer, const float* h, std::uint8_t* row) const {
    const float maximum = model_.is_static() ? 0 : model_.kernel.absolute_maximum(h, model_.padded_units);
    const numerics::RowScale scale = model_.hidden_scale(layer, maximum);
    model_.kernel.quantize(h, scale.inverse, model_.padded_units, row);
    return scale.scale;
  }

  /// Trials that still run at step t; they are sorted by length, longest first.
  std::int64_t active_at(std::int64_t t) const {
    std::int64_t active = 0;
    while (active < static_cast<std::int64_t>(results_.size()) && results_[static_cast<std::size_t>(active)]->steps > t)
      ++active;
    return active;
  }

  void work(int member) {
    Member& own = members_[static_cast<std::size_t>(member)];
    const std::int64_t steps = results_[0]->steps;
    int stretch = 0;
    for (std::int64_t t = 0; t < steps; t += steps_together_, ++stretch) {
      const std::int64_t end = std::min(t + steps_together_, steps);
      if (member == 0) list_rows(t, end);
      day_layers(own, stretch % 2, t, end);
      team_.barrier();
      step_inputs(own, day_outputs_[stretch % 2], t);
      team_.barrier();
      for (std::size_t k = 0; k < model_.weight_hh.size(); ++k) {
        input_products(own, k);
        recurrence(own, k, t, end);
      }
      outputs(own);
      team_.barrier();
    }
  }

  /// Steps overlap: the first bins of a stretch are the last ones of the stretch before, in the other set of buffers.
  void day_layers(Member& own, int set, std::int64_t step_begin, std::int64_t step_end) {
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
        repeat_bins(day_outputs_[1 - set], row + known_at, known, day_outputs_[set], row);
      }
      const std::int64_t bins = bins_of(steps);
      const std::int64_t first_bin = step_begin * model_.config.bins_between_steps();
      for (std::int64_t begin = known; begin < bins; begin += kBinsTogether, ++piece) {
        if (piece % own.count != own.number) continue;
        day_piece(own, i, first_bin + begin, std::min(kBinsTogether, bins - begin), day_outputs_[set], row + begin);
      }
    }
  }

  void repeat_bins(const DayOutputs& from, std::int64_t at, std::int64_t bins, DayOutputs& to,
                   std::int64_t to_row) const {
    const std::int64_t width = model_.padded_features;
    if (model_.is_static()) {
      std::copy_n(from.bytes.data() + at * width, bins * width, to.bytes.data() + to_row * width);
      return;
    }
    std::copy_n(from.values.data() + at * width, bins * width, to.values.data() + to_row * width);
    std::copy_n(from.maximum.begin() + at, bins, to.maximum.begin() + to_row);
  }

  /// Bins of trial i, from its bin `first` on, to `output` from its row `at` on.
  void day_piece(Member& own, std::size_t i, std::int64_t first, std::int64_t bins, DayOutputs& output,
                 std::int64_t at) {
    const std::int64_t width = model_.padded_features;
    const std::int64_t features = model_.config.n_input_features;
    const float* x = trials_[i]->features + first * features;
    if (width != features) {
      for (std::int64_t t = 0; t < bins; ++t) std::copy_n(x + t * features, features, own.bins.data() + t * width);
      x = own.bins.data();
    }
    const Share all{0, width / kBlockChannels};
    if (model_.is_static()) {
      model_.day_layer(trials_[i]->session_index, x, bins, all, own.day, own.outputs.data());
      own.overflowed[i] |= day_overflowed(own.outputs.data(), first, bins);
      const float inverse = model_.static_step_scale().inverse;
      model_.kernel.quantize(own.outputs.data(), inverse, bins * width, output.bytes.data() + at * width);
      return;
    }
    float* y = output.values.data() + at * width;
    model_.day_layer(trials_[i]->session_index, x, bins, all, own.day, y);
    own.overflowed[i] |= day_overflowed(y, first, bins);
    for (std::int64_t t = 0; t < bins; ++t) {
      output.maximum[static_cast<std::size_t>(at + t)] = model_.kernel.absolute_maximum(y + t * width, width);
    }
  }

  /// Rows of the steps [begin, end): step by step, and in a step trial by trial.
  void list_rows(std::int64_t begin, std::int64_t end) {
    rows_.clear();
    first_row_.clear();
    for (std::int64_t t = begin; t < end; ++t) {
      first_row_.push_back(static_cast<std::int64_t>(rows_.size()));
      const std::int64_t active = active_at(t);
      for (std::int64_t i = 0; i < active; ++i) rows_.push_back({i, t});
    }
    first_row_.push_back(static_cast<std::int64_t>(rows_.size()));
  }

  std::int64_t row_count() const { return static_cast<std::int64_t>(rows_.size()); }

  void step_inputs(const Member& own, const DayOutputs& output, std::int64_t step_begin) {
    const Share share = share_of(row_count(), own.number, own.count);
    const std::int64_t width = model_.padded_features;
    for (std::int64_t row = share.begin; row < share.end; ++row) {
      const auto [trial, step] = rows_[static_cast<std::size_t>(row)];
      const std::int64_t bin = day_row(trial) + (step - step_begin) * model_.config.bins_between_steps();
      const auto r = static_cast<std::size_t>(row);
      if (model_.is_static()) {
        row_at_[r] = output.bytes.data() + bin * width;
        step_scale_[r] = model_.activation_scales->step_input;
        continue;
      }
      const auto first = output.maximum.begin() + bin;
      const float maximum = *std::max_element(first, first + model_.config.bins_per_step());
      const numerics::RowScale scale = numerics::dynamic_row_scale(maximum);
      std::uint8_t* to = step_rows_.data() + row * model_.step_row_bytes();
      model_.kernel.quantize(output.values.data() + bin * width, scale.inverse, model_.step_row_bytes(), to);
      row_at_[r] = to;
      step_scale_[r] = scale.scale;
    }
  }

  /// gate_inputs of all rows, for the member's own units: nobody else reads them.
  void input_products(Member& own, std::size_t layer) {
    const PackedMatrix& weight = model_.weight_ih[layer];
    const std::int64_t tile_channels = weight.gemm.nr;
    const std::int64_t tile_blocks = tile_channels / kBlockChannels;
    const std::vector<float>& scales = layer == 0 ? step_scale_ : own.hidden_scale[(layer - 1) % 2];
    if (layer > 0) {
      for (std::int64_t row = 0; row < row_count(); ++row) {
        own.row_at[static_cast<std::size_t>(row)] = own.hidden_rows[(layer - 1) % 2].data() + row * model_.padded_units;
      }
    }
    const std::uint8_t* const* rows = layer == 0 ? row_at_.data() : own.row_at.data();
    const Share blocks{3 * own.unit_blocks.begin, 3 * own.unit_blocks.end};
    for (std::int64_t block = blocks.begin; block < blocks.end; block += tile_blocks) {
      const std::int64_t end = std::min(block + tile_blocks, blocks.end);
      weight.multiply({block, end}, {rows, row_count()}, {own.acc.data(), tile_channels});
      const std::int64_t channel = block * kBlockChannels;
      for (std::int64_t row = 0; row < row_count(); ++row) {
        model_.kernel.affine(own.acc.data() + row * tile_channels, scales[static_cast<std::size_t>(row)],
                             weight.scales.data() + channel, weight.biases.data() + channel,
                             (end - block) * kBlockChannels,
                             gate_inputs_.data() + row * model_.gate_channels + channel);
      }
    }
  }

  void recurrence(Member& own, std::size_t layer, std::int64_t begin, std::int64_t end) {
    const PackedMatrix& weight = model_.weight_hh[layer];
    const std::int64_t units = model_.padded_units;
    const auto count = static_cast<std::int64_t>(trials_.size());
    const Share blocks{3 * own.unit_blocks.begin, 3 * own.unit_blocks.end};
    const std::int64_t channel = blocks.begin * kBlockChannels;
    const std::int64_t first_unit = own.unit_blocks.begin * kBlockChannels;
    const std::int64_t own_units = own.unit_blocks.count() * kBlockChannels;
    const std::int64_t acc_stride = blocks.count() * kBlockChannels;
    AlignedBuffer<std::uint8_t>& rows_out = own.hidden_rows[layer % 2];
    std::vector<float>& scale_out = own.hidden_scale[layer % 2];
    const std::uint8_t* last[kTrialsTogether];
    float last_scale[kTrialsTogether];
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t at = static_cast<std::int64_t>(layer) * kTrialsTogether + i;
      last[i] = own.carried_rows.data() + at * units;
      last_scale[i] = own.carried_scale[static_cast<std::size_t>(at)];
    }
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int64_t first_row = first_row_[static_cast<std::size_t>(t - begin)];
      const std::int64_t active = first_row_[static_cast<std::size_t>(t - begin) + 1] - first_row;
      // By turns: a fast member writes the next step's h while a slow one still reads this step's.
      const float* h_before = hidden_[(t + 1) % 2].data() + static_cast<std::int64_t>(layer) * kTrialsTogether * units;
      float* h_now = hidden_[t % 2].data() + static_cast<std::int64_t>(layer) * kTrialsTogether * units;
      weight.multiply(blocks, {last, active}, {own.acc.data(), acc_stride});
      for (std::int64_t i = 0; i < active; ++i) {
        float* h = h_now + i * units + first_unit;
        std::copy_n(h_before + i * units + first_unit, own_units, h);
        model_.kernel.gates(own.acc.data() + i * acc_stride, last_scale[i], weight.scales.data() + channel,
                            weight.biases.data() + channel,
                            gate_inputs_.data() + (first_row + i) * model_.gate_channels + channel, own_units, h);
      }
      team_.barrier();
      for (std::int64_t i = 0; i < active; ++i) {
        std::uint8_t* row = rows_out.data() + (first_row + i) * units;
        last[i] = row;
        last_scale[i] = quantize_hidden(layer, h_now + i * units, row);
        scale_out[static_cast<std::size_t>(first_row + i)] = last_scale[i];
      }
    }
    // The next stretch begins with these rows; the buffer they lie in is used again before it.
    const std::int64_t active = active_at(end - 1);
    for (std::int64_t i = 0; i < active; ++i) {
      const std::int64_t at = static_cast<std::int64_t>(layer) * kTrialsTogether + i;
      std::memcpy(own.carried_rows.data() + at * units, last[i], static_cast<std::size_t>(units));
      own.carried_scale[static_cast<std::size_t>(at)] = last_scale[i];
    }
  }

  void outputs(Member& own) {
    const PackedMatrix& weight = model_.out_weight;
    const std::size_t last = (model_.weight_hh.size() - 1) % 2;
    const std::int64_t channels = weight.channels();
    const std::int64_t classes = model_.config.n_classes;
    const Share share = share_of(row_count(), own.number, own.count);
    std::vector<const std::uint8_t*>& rows = own.row_at;
    for (std::int64_t row = share.begin; row < share.end; ++row) {
      rows[static_cast<std::size_t>(row)] = own.hidden_rows[last].data() + row * model_.padded_units;
    }
    weight.multiply(weight.all_blocks(), {rows.data() + share.begin, share.count()}, {own.acc.data(), channels});
    for (std::int64_t row = share.begin; row < share.end; ++row) {
      const auto [trial, step] = rows_[static_cast<std::size_t>(row)];
      model_.kernel.affine(own.acc.data() + (row - share.begin) * channels,
                           own.hidden_scale[last][static_cast<std::size_t>(row)], weight.scales.data(),
                           weight.biases.data(), channels, own.outputs.data());
      std::copy_n(own.outputs.data(), classes,
                  results_[static_cast<std::size_t>(trial)]->values.data() + step * classes);
    }
  }

  const NativeModel& model_;
  ThreadTeam& team_;
  std::span<const EngineInput* const> trials_;
  std::span<Logits* const> results_;
  std::int64_t steps_together_ = 0;

  DayOutputs day_outputs_[2];  // in even and odd stretches

  struct Row {
    std::int64_t trial;
    std::int64_t step;
  };
  std::vector<Row> rows_;                  // of the current stretch
  std::vector<std::int64_t> first_row_;    // of each step of the stretch, and the end
  AlignedBuffer<std::uint8_t> step_rows_;  // dynamic: layer 0's quantized input
  std::vector<const std::uint8_t*> row_at_;
  std::vector<float> step_scale_;
  AlignedBuffer<float> gate_inputs_;  // [rows, gate_channels]
  std::vector<Member> members_;
  AlignedBuffer<float> hidden_[2];  // [layers, trials, padded_units], of even and odd steps
};

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
