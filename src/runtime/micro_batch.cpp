#include "runtime/micro_batch.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace brainquant {

MicroBatch::Member::Member(const NativeModel& model, int member, int members)
    : number(member),
      count(members),
      unit_blocks(share_of(model.unit_blocks, member, members)),
      outputs(model.out_weight.channels()),
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

MicroBatch::MicroBatch(const NativeModel& model, ThreadTeam& team)
    : model_(model), team_(team), day_stage_(model, team.size()), gate_inputs_(kRowsTogether * model.gate_channels) {
  for (AlignedBuffer<float>& hidden : hidden_) {
    hidden = AlignedBuffer<float>(model_.config.n_layers * kTrialsTogether * model_.padded_units);
  }
  for (int member = 0; member < team_.size(); ++member) members_.emplace_back(model_, member, team_.size());
}

void MicroBatch::decode(std::span<const EngineInput* const> trials, std::span<Logits* const> results) {
  trials_ = trials;
  results_ = results;
  steps_together_ = kRowsTogether / static_cast<std::int64_t>(trials_.size());
  day_stage_.begin(trials, results, steps_together_);
  begin_hidden();
  team_.run([this](int member) { work(member); });
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (!overflowed(i)) continue;
    std::fill(results_[i]->values.begin(), results_[i]->values.end(), std::numeric_limits<float>::quiet_NaN());
  }
}

/// Whether the trial's computation met a NaN. In a hidden state it stays until the trial's last step.
bool MicroBatch::overflowed(std::size_t trial) const {
  if (day_stage_.overflowed(trial)) return true;
  const std::int64_t units = model_.padded_units;
  const float* states = hidden_[(results_[trial]->steps - 1) % 2].data() + static_cast<std::int64_t>(trial) * units;
  for (std::int64_t k = 0; k < model_.config.n_layers; ++k) {
    if (!numerics::all_finite(states + k * kTrialsTogether * units, units)) return true;
  }
  return false;
}

void MicroBatch::begin_hidden() {
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

// Quantizes all units' h of a layer and returns the scale.
float MicroBatch::quantize_hidden(std::size_t layer, const float* h, std::uint8_t* row) const {
  const float maximum = model_.is_static() ? 0 : model_.kernel.absolute_maximum(h, model_.padded_units);
  const numerics::RowScale scale = model_.hidden_scale(layer, maximum);
  model_.kernel.quantize(h, scale.inverse, model_.padded_units, row);
  return scale.scale;
}

void MicroBatch::work(int member) {
  Member& own = members_[static_cast<std::size_t>(member)];
  const std::int64_t steps = results_[0]->steps;
  int stretch = 0;
  for (std::int64_t t = 0; t < steps; t += steps_together_, ++stretch) {
    const std::int64_t end = std::min(t + steps_together_, steps);
    if (member == 0) rows_.list(results_, t, end);
    day_stage_.run_day_layers(member, stretch, t, end);
    team_.barrier();
    day_stage_.quantize_patches(member, stretch, rows_);
    team_.barrier();
    for (std::size_t k = 0; k < model_.weight_hh.size(); ++k) {
      multiply_inputs(own, k);
      recur(own, k, t, end);
    }
    give_logits(own);
    team_.barrier();
  }
}

// gate_inputs of all rows, for the member's own units: nobody else reads them.
void MicroBatch::multiply_inputs(Member& own, std::size_t layer) {
  const PackedMatrix& weight = model_.weight_ih[layer];
  const std::int64_t tile_channels = weight.gemm.nr;
  const std::int64_t tile_blocks = tile_channels / kBlockChannels;
  const std::vector<float>& scales = layer == 0 ? day_stage_.scales() : own.hidden_scale[(layer - 1) % 2];
  if (layer > 0) {
    for (std::int64_t row = 0; row < rows_.count(); ++row) {
      own.row_at[static_cast<std::size_t>(row)] = own.hidden_rows[(layer - 1) % 2].data() + row * model_.padded_units;
    }
  }
  const std::uint8_t* const* rows = layer == 0 ? day_stage_.rows() : own.row_at.data();
  const Share blocks{3 * own.unit_blocks.begin, 3 * own.unit_blocks.end};
  for (std::int64_t block = blocks.begin; block < blocks.end; block += tile_blocks) {
    const std::int64_t end = std::min(block + tile_blocks, blocks.end);
    weight.multiply({block, end}, {rows, rows_.count()}, {own.acc.data(), tile_channels});
    const std::int64_t channel = block * kBlockChannels;
    for (std::int64_t row = 0; row < rows_.count(); ++row) {
      model_.kernel.affine(own.acc.data() + row * tile_channels, scales[static_cast<std::size_t>(row)],
                           weight.scales.data() + channel, weight.biases.data() + channel,
                           (end - block) * kBlockChannels, gate_inputs_.data() + row * model_.gate_channels + channel);
    }
  }
}

void MicroBatch::recur(Member& own, std::size_t layer, std::int64_t begin, std::int64_t end) {
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
  const bool expands = weight.pays_to_expand(rows_.active(begin), rows_.count());
  if (expands) weight.expand(blocks, own.expanded);
  const PackedMatrix& product = expands ? own.expanded : weight;
  const Share product_blocks = expands ? own.expanded.all_blocks() : blocks;
  for (std::int64_t t = begin; t < end; ++t) {
    const std::int64_t first_row = rows_.first_row(t);
    const std::int64_t active = rows_.active(t);
    // By turns: a fast member writes the next step's h while a slow one still reads this step's.
    const float* h_before = hidden_[(t + 1) % 2].data() + static_cast<std::int64_t>(layer) * kTrialsTogether * units;
    float* h_now = hidden_[t % 2].data() + static_cast<std::int64_t>(layer) * kTrialsTogether * units;
    product.multiply(product_blocks, {last, active}, {own.acc.data(), acc_stride});
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
  const std::int64_t active = rows_.active(end - 1);
  for (std::int64_t i = 0; i < active; ++i) {
    const std::int64_t at = static_cast<std::int64_t>(layer) * kTrialsTogether + i;
    std::memcpy(own.carried_rows.data() + at * units, last[i], static_cast<std::size_t>(units));
    own.carried_scale[static_cast<std::size_t>(at)] = last_scale[i];
  }
}

void MicroBatch::give_logits(Member& own) {
  const PackedMatrix& weight = model_.out_weight;
  const std::size_t last = (model_.weight_hh.size() - 1) % 2;
  const std::int64_t channels = weight.channels();
  const std::int64_t classes = model_.config.n_classes;
  const Share share = share_of(rows_.count(), own.number, own.count);
  std::vector<const std::uint8_t*>& rows = own.row_at;
  for (std::int64_t row = share.begin; row < share.end; ++row) {
    rows[static_cast<std::size_t>(row)] = own.hidden_rows[last].data() + row * model_.padded_units;
  }
  weight.multiply(weight.all_blocks(), {rows.data() + share.begin, share.count()}, {own.acc.data(), channels});
  for (std::int64_t row = share.begin; row < share.end; ++row) {
    const auto [trial, step] = rows_[row];
    model_.kernel.affine(own.acc.data() + (row - share.begin) * channels,
                         own.hidden_scale[last][static_cast<std::size_t>(row)], weight.scales.data(),
                         weight.biases.data(), channels, own.outputs.data());
    std::copy_n(own.outputs.data(), classes, results_[static_cast<std::size_t>(trial)]->values.data() + step * classes);
  }
}

}  // namespace brainquant
