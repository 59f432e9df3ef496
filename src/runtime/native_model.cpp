#include "runtime/native_model.h"

#include <algorithm>

#include "runtime/reference_engine.h"
#include "runtime/require_int8.h"

namespace brainquant {

NativeModel::NativeModel(const QuantizedModel& model, const Kernel& chosen)
    : kernel(chosen),
      config(model.config),
      padded_features(round_up(model.config.n_input_features, kBlockChannels)),
      padded_units(round_up(model.config.n_units, kBlockChannels)),
      unit_blocks(padded_units / kBlockChannels),
      gate_channels(3 * padded_units),
      day_weights(model.day_weights),
      day_biases(model.day_biases),
      h0(model.h0),
      activation_scales(model.activation_scales) {
  require_int8(model, "native");
  h0.resize(static_cast<std::size_t>(padded_units), 0.0f);
  const std::vector<std::int64_t> features = channels_in_order(config.n_input_features);
  const std::vector<std::int64_t> gates = channels_by_unit_block(config.n_units);
  for (std::size_t d = 0; d < model.day_residuals.size(); ++d) {
    day_residuals.push_back(
        pack(model.day_residuals[d], model.day_biases[d], features, config.n_input_features, kernel));
  }
  for (std::size_t k = 0; k < model.gru.size(); ++k) {
    const QuantizedGruLayer& layer = model.gru[k];
    const std::int64_t run = k == 0 ? config.n_input_features : config.n_units;
    weight_ih.push_back(pack(layer.weight_ih, layer.bias_ih, gates, run, kernel));
    weight_hh.push_back(pack(layer.weight_hh, layer.bias_hh, gates, config.n_units, kernel));
  }
  out_weight = pack(model.out_weight, model.out_bias, channels_in_order(config.n_classes), config.n_units, kernel);
}

void NativeModel::day_layer(std::int64_t session, const float* x, std::int64_t bins, Share blocks, DayScratch& scratch,
                            float* y) const {
  const auto d = static_cast<std::size_t>(session);
  if (day_residuals.empty()) {
    const bool holds_first = blocks.begin == 0 && blocks.count() > 0;  // several empty shares may begin at 0 too
    for (std::int64_t t = 0; t < bins && holds_first; ++t) {
      float_day_layer(day_weights[d], day_biases[d], x + t * padded_features, y + t * padded_features);
    }
    return;
  }
  for (std::int64_t t = 0; t < bins; ++t) {
    const float* from = x + t * padded_features;
    std::uint8_t* row = scratch.rows.data() + t * padded_features;
    const numerics::RowScale scale = day_scale(from);
    kernel.quantize(from, scale.inverse, padded_features, row);
    scratch.row_at[static_cast<std::size_t>(t)] = row;
    scratch.scales[static_cast<std::size_t>(t)] = scale.scale;
  }
  const PackedMatrix& weight = day_residuals[d];
  weight.multiply(blocks, {scratch.row_at.data(), bins}, {scratch.acc.data(), padded_features});
  const std::int64_t first = blocks.begin * kBlockChannels;
  for (std::int64_t t = 0; t < bins; ++t) {
    const std::int64_t at = t * padded_features;
    kernel.day_output(scratch.acc.data() + at, scratch.scales[static_cast<std::size_t>(t)],
                      weight.scales.data() + first, weight.biases.data() + first, x + at + first,
                      blocks.count() * kBlockChannels, y + at + first);
  }
}

}  // namespace brainquant
