#include "runtime/native_decode.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace brainquant {

namespace {

/// Trials decoded side by side. Docs: docs/performance.md, "Trials side by side".
constexpr std::int64_t kTrialsTogether = 8;
/// Rows (a trial's step each) that pass through all layers before the next rows begin: the buffers between layers stay in cache, and
/// the weights are read once for so many rows.
constexpr std::int64_t kRowsTogether = 256;
/// Floats between two members' maxima: a cache line, so that writing one does not disturb the other.
constexpr std::int64_t kMaximaStride = 16;
/// Bins of a trial that one member takes through the day layer at a time.
constexpr std::int64_t kBinsTogether = 48;

/// Trials of one group and everything computed for them. Members of the team work on it together inside one run().
class GroupDecoder {
 public:
  GroupDecoder(const NativeModel& model, ThreadTeam& team, std::vector<const EngineInput*> trials,
               std::vector<Logits*> results)
      : model_(model), team_(team), trials_(std::move(trials)), results_(std::move(results)) {
    const auto count = static_cast<std::int64_t>(trials_.size());
    steps_together_ = std::max<std::int64_t>(1, kRowsTogether / count);
    const std::int64_t rows = std::min(steps_together_, results_[0]->steps) * count;
    for (const Logits* result : results_) {
      const std::int64_t bins = bins_used(result->steps);
      day_output_bytes_.emplace_back(model_.is_static() ? bins * model_.padded_features : 0);
      day_output_.emplace_back(model_.is_static() ? 0 : bins * model_.padded_features);
      bin_maximum_.emplace_back(model_.is_static() ? 0 : static_cast<std::size_t>(bins));
    }
    if (!model_.is_static()) step_rows_ = AlignedBuffer<std::uint8_t>(rows * model_.step_row_bytes());
    row_at_.resize(static_cast<std::size_t>(rows));
    step_scale_.resize(static_cast<std::size_t>(rows));
    gate_inputs_ = AlignedBuffer<float>(rows * model_.gate_channels);
    for (int i = 0; i < 2; ++i) {
      hidden_rows_[i] = AlignedBuffer<std::uint8_t>(rows * model_.padded_units);
      hidden_scale_[i].resize(static_cast<std::size_t>(rows));
    }
    const std::size_t layers = model_.weight_hh.size();
    hidden_ = AlignedBuffer<float>(static_cast<std::int64_t>(layers) * count * model_.padded_units);
    carried_rows_ = AlignedBuffer<std::uint8_t>(static_cast<std::int64_t>(layers) * count * model_.padded_units);
    carried_scale_.resize(layers * trials_.size());
    member_maximum_.resize(static_cast<std::size_t>(2 * team_.size() * kMaximaStride));
    for (int member = 0; member < team_.size(); ++member) members_.emplace_back(model_, member, team_.size(), rows);
    rows_.reserve(static_cast<std::size_t>(rows));
    first_row_.reserve(static_cast<std::size_t>(steps_together_) + 1);
    begin_hidden();
  }

  void run() {
    team_.run([this](int member) { work(member); });
  }

 private:
  /// What belongs to one member: its share of the units, and scratch memory, all of it allocated before the work begins.
  struct Member {
    Member(const NativeModel& model, int member, int members, std::int64_t rows)
        : number(member),
          count(members),
          unit_blocks(share_of(model.unit_blocks, member, members)),
          day(kBinsTogether, model.padded_features),
          bins(kBinsTogether * model.padded_features),
          outputs(std::max(kBinsTogether * model.padded_features, model.out_weight.block_count * kBlockChannels)),
          acc(std::max({rows * model.kernel.tile_blocks * kBlockChannels, kTrialsTogether * model.gate_channels,
                        rows * model.out_weight.block_count * kBlockChannels})),
          row_at(static_cast<std::size_t>(rows)) {}
    int number;
    int count;
    Share unit_blocks;
    DayScratch day;
    AlignedBuffer<float> bins;
    AlignedBuffer<float> outputs;
    AlignedBuffer<std::int32_t> acc;
    std::vector<const std::uint8_t*> row_at;  // of hidden rows
  };

  std::int64_t bins_used(std::int64_t steps) const {
    return (steps - 1) * model_.config.bins_between_steps() + model_.config.bins_per_step();
  }

  void begin_hidden() {
    for (std::size_t k = 0; k < model_.weight_hh.size(); ++k) {
      const float maximum = model_.kernel.absolute_maximum(model_.h0.data(), model_.padded_units);
      const numerics::RowScale scale = model_.hidden_scale(k, maximum);
      for (std::size_t i = 0; i < trials_.size(); ++i) {
        const auto at = static_cast<std::int64_t>(k * trials_.size() + i) * model_.padded_units;
        std::copy(model_.h0.begin(), model_.h0.end(), hidden_.data() + at);
        model_.kernel.quantize(model_.h0.data(), scale.inverse, model_.padded_units, carried_rows_.data() + at);
        carried_scale_[k * trials_.size() + i] = scale.scale;
      }
    }
  }

  /// Trials that still run at step t; they are sorted by length, longest first.
  std::int64_t active_at(std::int64_t t) const {
    std::int64_t active = 0;
    while (active < static_cast<std::int64_t>(results_.size()) && results_[static_cast<std::size_t>(active)]->steps > t) ++active;
    return active;
  }

  void work(int member) {
    Member& own = members_[static_cast<std::size_t>(member)];
    day_layers(own);
    team_.barrier();
    const std::int64_t steps = results_[0]->steps;
    for (std::int64_t t = 0; t < steps; t += steps_together_) {
      const std::int64_t end = std::min(t + steps_together_, steps);
      if (member == 0) list_rows(t, end);
      team_.barrier();
      step_inputs(own);
      team_.barrier();
      for (std::size_t k = 0; k < model_.weight_hh.size(); ++k) {
        input_products(own, k);
        recurrence(own, k, t, end);
      }
      outputs(own);
      team_.barrier();
    }
  }

  void day_layers(Member& own) {
    std::int64_t piece = 0;
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      const std::int64_t bins = bins_used(results_[i]->steps);
      for (std::int64_t begin = 0; begin < bins; begin += kBinsTogether, ++piece) {
        if (piece % own.count == own.number) day_piece(own, i, begin, std::min(kBinsTogether, bins - begin));
      }
    }
  }

  void day_piece(Member& own, std::size_t i, std::int64_t begin, std::int64_t bins) {
    const std::int64_t width = model_.padded_features;
    const std::int64_t features = model_.config.n_input_features;
    const float* x = trials_[i]->features + begin * features;
    if (width != features) {
      for (std::int64_t t = 0; t < bins; ++t) std::copy_n(x + t * features, features, own.bins.data() + t * width);
      x = own.bins.data();
    }
    const Share all{0, width / kBlockChannels};
    if (model_.is_static()) {
      model_.day_layer(trials_[i]->session_index, x, bins, all, own.day, own.outputs.data());
      const float inverse = model_.static_step_scale().inverse;
      model_.kernel.quantize(own.outputs.data(), inverse, bins * width, day_output_bytes_[i].data() + begin * width);
      return;
    }
    float* y = day_output_[i].data() + begin * width;
    model_.day_layer(trials_[i]->session_index, x, bins, all, own.day, y);
    for (std::int64_t t = 0; t < bins; ++t) {
      bin_maximum_[i][static_cast<std::size_t>(begin + t)] = model_.kernel.absolute_maximum(y + t * width, width);
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

  void step_inputs(const Member& own) {
    const Share share = share_of(row_count(), own.number, own.count);
    const std::int64_t width = model_.padded_features;
    for (std::int64_t row = share.begin; row < share.end; ++row) {
      const auto [trial, step] = rows_[static_cast<std::size_t>(row)];
      const auto i = static_cast<std::size_t>(trial);
      const std::int64_t bin = step * model_.config.bins_between_steps();
      const auto r = static_cast<std::size_t>(row);
      if (model_.is_static()) {
        row_at_[r] = day_output_bytes_[i].data() + bin * width;
        step_scale_[r] = model_.activation_scales->step_input;
        continue;
      }
      const auto first = bin_maximum_[i].begin() + bin;
      const float maximum = *std::max_element(first, first + model_.config.bins_per_step());
      const numerics::RowScale scale = numerics::dynamic_row_scale(maximum);
      std::uint8_t* to = step_rows_.data() + row * model_.step_row_bytes();
      model_.kernel.quantize(day_output_[i].data() + bin * width, scale.inverse, model_.step_row_bytes(), to);
      row_at_[r] = to;
      step_scale_[r] = scale.scale;
    }
  }

  /// gate_inputs of all rows, for the member's own units: nobody else reads them.
  void input_products(Member& own, std::size_t layer) {
    const PackedMatrix& weight = model_.weight_ih[layer];
    const std::int64_t tile_blocks = model_.kernel.tile_blocks;
    const std::int64_t tile_channels = tile_blocks * kBlockChannels;
    const std::vector<float>& scales = layer == 0 ? step_scale_ : hidden_scale_[(layer - 1) % 2];
    if (layer > 0) {
      for (std::int64_t row = 0; row < row_count(); ++row) {
        own.row_at[static_cast<std::size_t>(row)] = hidden_rows_[(layer - 1) % 2].data() + row * model_.padded_units;
      }
    }
    const std::uint8_t* const* rows = layer == 0 ? row_at_.data() : own.row_at.data();
    const Share blocks{3 * own.unit_blocks.begin, 3 * own.unit_blocks.end};
    for (std::int64_t block = blocks.begin; block < blocks.end; block += tile_blocks) {
      const std::int64_t end = std::min(block + tile_blocks, blocks.end);
      begin_sums(weight, block, end, row_count(), own.acc.data(), tile_channels);
      add_products(model_.kernel, weight, block, end, 0, weight.group_count, rows, row_count(), own.acc.data(),
                   tile_channels);
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
    AlignedBuffer<std::uint8_t>& rows_out = hidden_rows_[layer % 2];
    std::vector<float>& scale_out = hidden_scale_[layer % 2];
    const std::uint8_t* last[kTrialsTogether];
    float last_scale[kTrialsTogether];
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t at = static_cast<std::int64_t>(layer) * count + i;
      last[i] = carried_rows_.data() + at * units;
      last_scale[i] = carried_scale_[static_cast<std::size_t>(at)];
    }
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int64_t first_row = first_row_[static_cast<std::size_t>(t - begin)];
      const std::int64_t active = first_row_[static_cast<std::size_t>(t - begin) + 1] - first_row;
      begin_sums(weight, blocks.begin, blocks.end, active, own.acc.data(), acc_stride);
      add_products(model_.kernel, weight, blocks.begin, blocks.end, 0, weight.group_count, last, active, own.acc.data(),
                   acc_stride);
      for (std::int64_t i = 0; i < active; ++i) {
        float* h = hidden_.data() + (static_cast<std::int64_t>(layer) * count + i) * units + first_unit;
        model_.kernel.gates(own.acc.data() + i * acc_stride, last_scale[i], weight.scales.data() + channel,
                            weight.biases.data() + channel,
                            gate_inputs_.data() + (first_row + i) * model_.gate_channels + channel, own_units, h);
      }
      if (!model_.is_static()) share_maxima(own, layer, t, active);
      for (std::int64_t i = 0; i < active; ++i) {
        const float* h = hidden_.data() + (static_cast<std::int64_t>(layer) * count + i) * units + first_unit;
        const numerics::RowScale scale = model_.hidden_scale(layer, model_.is_static() ? 0 : shared_maximum(t, i));
        std::uint8_t* row = rows_out.data() + (first_row + i) * units;
        model_.kernel.quantize(h, scale.inverse, own_units, row + first_unit);
        last[i] = row;
        last_scale[i] = scale.scale;
        if (own.number == 0) scale_out[static_cast<std::size_t>(first_row + i)] = scale.scale;
      }
      team_.barrier();
    }
    // The next stretch begins with these rows; the buffer they lie in is used again before it.
    const std::int64_t active = active_at(end - 1);
    for (std::int64_t i = 0; i < active; ++i) {
      const std::int64_t at = static_cast<std::int64_t>(layer) * count + i;
      std::memcpy(carried_rows_.data() + at * units + first_unit, last[i] + first_unit, static_cast<std::size_t>(own_units));
      if (own.number == 0) carried_scale_[static_cast<std::size_t>(at)] = last_scale[i];
    }
  }

  /// Every member's largest |h| of its own units, in one of two sets by turns: a fast member may be a step ahead.
  void share_maxima(const Member& own, std::size_t layer, std::int64_t t, std::int64_t active) {
    const std::int64_t units = model_.padded_units;
    for (std::int64_t i = 0; i < active; ++i) {
      const float* h = hidden_.data() + (static_cast<std::int64_t>(layer * trials_.size()) + i) * units;
      member_maximum_[maximum_at(t, i, own.number)] = model_.kernel.absolute_maximum(
          h + own.unit_blocks.begin * kBlockChannels, own.unit_blocks.count() * kBlockChannels);
    }
    team_.barrier();
  }

  float shared_maximum(std::int64_t t, std::int64_t i) const {
    float maximum = 0;
    for (int member = 0; member < team_.size(); ++member) {
      maximum = std::max(maximum, member_maximum_[maximum_at(t, i, member)]);
    }
    return maximum;
  }

  std::size_t maximum_at(std::int64_t t, std::int64_t i, int member) const {
    return static_cast<std::size_t>(((t % 2) * team_.size() + member) * kMaximaStride + i);
  }

  void outputs(Member& own) {
    const PackedMatrix& weight = model_.out_weight;
    const std::size_t last = (model_.weight_hh.size() - 1) % 2;
    const std::int64_t channels = weight.block_count * kBlockChannels;
    const std::int64_t classes = model_.config.n_classes;
    const Share share = share_of(row_count(), own.number, own.count);
    std::vector<const std::uint8_t*>& rows = own.row_at;
    for (std::int64_t row = share.begin; row < share.end; ++row) {
      rows[static_cast<std::size_t>(row)] = hidden_rows_[last].data() + row * model_.padded_units;
    }
    begin_sums(weight, 0, weight.block_count, share.count(), own.acc.data(), channels);
    add_products(model_.kernel, weight, 0, weight.block_count, 0, weight.group_count, rows.data() + share.begin,
                 share.count(), own.acc.data(), channels);
    for (std::int64_t row = share.begin; row < share.end; ++row) {
      const auto [trial, step] = rows_[static_cast<std::size_t>(row)];
      model_.kernel.affine(own.acc.data() + (row - share.begin) * channels, hidden_scale_[last][static_cast<std::size_t>(row)],
                           weight.scales.data(), weight.biases.data(), channels, own.outputs.data());
      std::copy_n(own.outputs.data(), classes, results_[static_cast<std::size_t>(trial)]->values.data() + step * classes);
    }
  }

  const NativeModel& model_;
  ThreadTeam& team_;
  std::vector<const EngineInput*> trials_;
  std::vector<Logits*> results_;
  std::int64_t steps_together_;

  std::vector<AlignedBuffer<std::uint8_t>> day_output_bytes_;  // static: [bins, padded_features] of each trial, quantized
  std::vector<AlignedBuffer<float>> day_output_;               // dynamic: the same in fp32
  std::vector<std::vector<float>> bin_maximum_;                // dynamic: largest magnitude of each bin

  struct Row {
    std::int64_t trial;
    std::int64_t step;
  };
  std::vector<Row> rows_;                    // of the current stretch
  std::vector<std::int64_t> first_row_;      // of each step of the stretch, and the end
  AlignedBuffer<std::uint8_t> step_rows_;    // dynamic: layer 0's quantized input
  std::vector<const std::uint8_t*> row_at_;
  std::vector<float> step_scale_;
  AlignedBuffer<float> gate_inputs_;         // [rows, gate_channels]
  AlignedBuffer<std::uint8_t> hidden_rows_[2];  // [rows, padded_units], of even and odd layers
  std::vector<float> hidden_scale_[2];
  std::vector<Member> members_;
  AlignedBuffer<float> hidden_;              // [layers, trials, padded_units]
  AlignedBuffer<std::uint8_t> carried_rows_; // the same quantized, of the step before the stretch
  std::vector<float> carried_scale_;
  std::vector<float> member_maximum_;
};

}  // namespace

std::vector<Logits> decode_trials(const NativeModel& model, ThreadTeam& team, std::span<const EngineInput> batch) {
  std::vector<Logits> results(batch.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::int64_t steps = model.config.steps_of(batch[i].bins);
    results[i] = {steps, model.config.n_classes, std::vector<float>(static_cast<std::size_t>(steps * model.config.n_classes))};
    if (steps > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return results[a].steps > results[b].steps; });
  for (std::size_t first = 0; first < order.size(); first += kTrialsTogether) {
    std::vector<const EngineInput*> trials;
    std::vector<Logits*> logits;
    for (std::size_t k = first; k < std::min(order.size(), first + kTrialsTogether); ++k) {
      trials.push_back(&batch[order[k]]);
      logits.push_back(&results[order[k]]);
    }
    GroupDecoder(model, team, std::move(trials), std::move(logits)).run();
  }
  return results;
}

}  // namespace brainquant
