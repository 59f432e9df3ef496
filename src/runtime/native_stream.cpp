#include "runtime/native_stream.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace brainquant {

namespace {
/// Floats between two members' maxima: a cache line.
constexpr std::size_t kMaximaStride = 16;
}  // namespace

NativeState::NativeState(const NativeModel& model)
    : patch(model.step_row_bytes()),
      patch_values(model.is_static() ? 0 : model.step_row_bytes()),
      patch_maximum(model.is_static() ? 0 : static_cast<std::size_t>(model.config.bins_per_step())),
      hidden(model.config.n_layers * model.padded_units),
      rows(model.config.n_layers * model.padded_units),
      row_scale(static_cast<std::size_t>(model.config.n_layers)),
      recurrent_acc(model.config.n_layers * model.gate_channels),
      step_acc(model.gate_channels),
      bin(model.padded_features),
      day_output(model.padded_features),
      input_acc(model.gate_channels),
      gate_inputs(model.gate_channels),
      out_acc(model.out_weight.channels()),
      outputs(model.out_weight.channels()) {}

void reset_state(const NativeModel& model, NativeState& state, std::int64_t session_index) {
  state.session_index = session_index;
  state.bins_to_skip = 0;
  state.bins_there = 0;
  state.bins_summed = 0;
  state.overflowed = false;
  state.recurrent_products_formed = false;
  const float maximum = model.kernel.absolute_maximum(model.h0.data(), model.padded_units);
  for (std::size_t k = 0; k < model.weight_hh.size(); ++k) {
    const auto at = static_cast<std::int64_t>(k) * model.padded_units;
    const numerics::RowScale scale = model.hidden_scale(k, maximum);
    std::copy(model.h0.begin(), model.h0.end(), state.hidden.data() + at);
    model.kernel.quantize(model.h0.data(), scale.inverse, model.padded_units, state.rows.data() + at);
    state.row_scale[k] = scale.scale;
  }
}

NativeStream::NativeStream(const NativeModel& model, ThreadTeam& team)
    : model_(model),
      team_(team),
      day_(static_cast<std::size_t>(team.size()), DayScratch(1, model.padded_features)),
      member_maximum_(2 * static_cast<std::size_t>(team.size()) * kMaximaStride) {}

void NativeStream::prepare(NativeState& state) {
  const bool bins_wait = model_.is_static() && state.bins_summed < state.bins_there;
  if (state.recurrent_products_formed && !bins_wait) return;
  team_.run([&](int member) { form_ahead(state, member); });
  state.recurrent_products_formed = true;
  state.bins_summed = model_.is_static() ? state.bins_there : 0;
}

/// Every layer's recurrent product, which needs only the last step's state, and layer 0's share of the bins that are
/// there.
void NativeStream::form_ahead(NativeState& state, int member) {
  if (!state.recurrent_products_formed) {
    const Share units = share_of(model_.unit_blocks, member, team_.size());
    for (std::size_t k = 0; k < model_.weight_hh.size(); ++k) {
      const std::uint8_t* row = state.rows.data() + static_cast<std::int64_t>(k) * model_.padded_units;
      std::int32_t* acc = state.recurrent_acc.data() + static_cast<std::int64_t>(k) * model_.gate_channels +
                          3 * units.begin * kBlockChannels;
      model_.weight_hh[k].multiply({3 * units.begin, 3 * units.end}, {&row, 1}, {acc, model_.gate_channels});
    }
  }
  if (model_.is_static()) add_bins(state, state.bins_there, member);
}

/// Adds bins [bins_summed, end) of the patch to the member's part of layer 0's input product.
void NativeStream::add_bins(NativeState& state, std::int64_t end, int member) {
  const PackedMatrix& weight = model_.weight_ih[0];
  const Share units = share_of(model_.unit_blocks, member, team_.size());
  const Share blocks{3 * units.begin, 3 * units.end};
  std::int32_t* acc = state.step_acc.data() + blocks.begin * kBlockChannels;
  const std::uint8_t* row = state.patch.data();
  const std::int64_t quads = model_.padded_features / weight.gemm.kr;
  weight.multiply_part(blocks, {state.bins_summed * quads, end * quads}, {&row, 1}, {acc, model_.gate_channels});
}

bool NativeStream::push(NativeState& state, const float* bin, float* logits) {
  prepare(state);
  if (state.bins_to_skip > 0) {
    --state.bins_to_skip;
    return false;
  }
  std::copy_n(bin, model_.config.n_input_features, state.bin.data());
  const std::int64_t per_step = model_.config.bins_per_step();
  const bool completes = state.bins_there + 1 == per_step;
  team_.run([&](int member) {
    take_bin(state, member);
    if (completes) step(state, member);
  });
  const float* y = model_.is_static() ? state.day_output.data()
                                      : state.patch_values.data() + state.bins_there * model_.padded_features;
  state.overflowed |= !numerics::all_finite(y, model_.config.n_input_features);
  if (!completes) {
    ++state.bins_there;
    if (model_.is_static()) state.bins_summed = state.bins_there;
    return false;
  }
  state.overflowed |= !numerics::all_finite(state.hidden.data(), model_.config.n_layers * model_.padded_units);
  if (state.overflowed) {
    std::fill_n(logits, model_.config.n_classes, std::numeric_limits<float>::quiet_NaN());
  } else {
    std::copy_n(state.outputs.data(), model_.config.n_classes, logits);
  }
  state.recurrent_products_formed = false;
  state.bins_summed = 0;
  const std::int64_t stride = model_.config.bins_between_steps();
  state.bins_there = std::max<std::int64_t>(0, per_step - stride);
  state.bins_to_skip = std::max<std::int64_t>(0, stride - per_step);
  const std::int64_t width = model_.padded_features;
  const auto keep = static_cast<std::size_t>(state.bins_there * width);
  const std::int64_t from = per_step - state.bins_there;
  if (model_.is_static()) {
    std::memmove(state.patch.data(), state.patch.data() + from * width, keep);
  } else {
    std::memmove(state.patch_values.data(), state.patch_values.data() + from * width, keep * sizeof(float));
    std::copy(state.patch_maximum.begin() + from, state.patch_maximum.end(), state.patch_maximum.begin());
  }
  return true;
}

/// Day layer of state.bin, into the patch; in a static model also its share of layer 0's input product.
void NativeStream::take_bin(NativeState& state, int member) {
  const std::int64_t width = model_.padded_features;
  const std::int64_t at = state.bins_there * width;
  const Share blocks = share_of(width / kBlockChannels, member, team_.size());
  const std::int64_t first = blocks.begin * kBlockChannels;
  const std::int64_t count = blocks.count() * kBlockChannels;
  float* y = model_.is_static() ? state.day_output.data() : state.patch_values.data() + at;
  model_.day_layer(state.session_index, state.bin.data(), 1, blocks, day_[static_cast<std::size_t>(member)], y);
  if (!model_.day_weights.empty()) team_.barrier();  // member 0 has done all channels
  if (model_.is_static()) {
    model_.kernel.quantize(y + first, model_.static_step_scale().inverse, count, state.patch.data() + at + first);
    team_.barrier();
    add_bins(state, state.bins_there + 1, member);
    return;
  }
  team_.barrier();
  if (member == 0) {
    state.patch_maximum[static_cast<std::size_t>(state.bins_there)] = model_.kernel.absolute_maximum(y, width);
  }
}

void NativeStream::step(NativeState& state, int member) {
  const Share units = share_of(model_.unit_blocks, member, team_.size());
  const Share blocks{3 * units.begin, 3 * units.end};
  const std::int64_t channel = blocks.begin * kBlockChannels;
  float step_scale;
  if (model_.is_static()) {
    step_scale = model_.activation_scales->step_input;
  } else {
    team_.barrier();  // the last bin's maximum
    const float maximum = *std::max_element(state.patch_maximum.begin(), state.patch_maximum.end());
    const numerics::RowScale scale = numerics::dynamic_row_scale(maximum);
    step_scale = scale.scale;
    const Share part = share_of(model_.step_row_bytes() / kBlockChannels, member, team_.size());
    model_.kernel.quantize(state.patch_values.data() + part.begin * kBlockChannels, scale.inverse,
                           part.count() * kBlockChannels, state.patch.data() + part.begin * kBlockChannels);
    team_.barrier();
  }
  for (std::size_t k = 0; k < model_.weight_hh.size(); ++k) {
    const auto layer = static_cast<std::int64_t>(k);
    const PackedMatrix& ih = model_.weight_ih[k];
    std::int32_t* acc = (k == 0 && model_.is_static() ? state.step_acc : state.input_acc).data() + channel;
    float scale = step_scale;
    if (k > 0 || !model_.is_static()) {
      const std::uint8_t* row = k == 0 ? state.patch.data() : state.rows.data() + (layer - 1) * model_.padded_units;
      if (k > 0) scale = state.row_scale[k - 1];
      ih.multiply(blocks, {&row, 1}, {acc, model_.gate_channels});
    }
    float* gate_inputs = state.gate_inputs.data() + channel;
    model_.kernel.affine(acc, scale, ih.scales.data() + channel, ih.biases.data() + channel,
                         blocks.count() * kBlockChannels, gate_inputs);
    const PackedMatrix& hh = model_.weight_hh[k];
    model_.kernel.gates(state.recurrent_acc.data() + layer * model_.gate_channels + channel, state.row_scale[k],
                        hh.scales.data() + channel, hh.biases.data() + channel, gate_inputs,
                        units.count() * kBlockChannels,
                        state.hidden.data() + layer * model_.padded_units + units.begin * kBlockChannels);
    quantize_hidden(state, k, member);
  }
  if (member != 0) return;
  const PackedMatrix& out = model_.out_weight;
  const std::uint8_t* row = state.rows.data() + (model_.config.n_layers - 1) * model_.padded_units;
  out.multiply(out.all_blocks(), {&row, 1}, {state.out_acc.data(), 0});
  model_.kernel.affine(state.out_acc.data(), state.row_scale.back(), out.scales.data(), out.biases.data(),
                       out.channels(), state.outputs.data());
}

void NativeStream::quantize_hidden(NativeState& state, std::size_t layer, int member) {
  const Share units = share_of(model_.unit_blocks, member, team_.size());
  const std::int64_t first = units.begin * kBlockChannels;
  const std::int64_t at = static_cast<std::int64_t>(layer) * model_.padded_units + first;
  const std::int64_t count = units.count() * kBlockChannels;
  float maximum = 0;
  if (!model_.is_static()) {
    float* maxima = member_maximum_.data() + (layer % 2) * static_cast<std::size_t>(team_.size()) * kMaximaStride;
    maxima[static_cast<std::size_t>(member) * kMaximaStride] =
        model_.kernel.absolute_maximum(state.hidden.data() + at, count);
    team_.barrier();
    for (int other = 0; other < team_.size(); ++other) {
      maximum = std::max(maximum, maxima[static_cast<std::size_t>(other) * kMaximaStride]);
    }
  }
  const numerics::RowScale scale = model_.hidden_scale(layer, maximum);
  model_.kernel.quantize(state.hidden.data() + at, scale.inverse, count, state.rows.data() + at);
  // A static model's scale stands there since the reset; others may be reading it.
  if (member == 0 && !model_.is_static()) state.row_scale[layer] = scale.scale;
  team_.barrier();
}

}  // namespace brainquant
