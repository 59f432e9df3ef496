#include "runtime/native_model.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include "runtime/reference_engine.h"

namespace brainquant {

namespace {

/// A matrix on its way into the kernel's layout.
struct PackJob {
  WeightId id;
  const std::vector<float>* bias;
  const std::vector<std::int64_t>* channel_rows;
  std::int64_t run;
  std::int64_t cols;
  PackedMatrix* packed;
};

/// The largest matrices first, so that no member is left alone with one.
void pack_all(std::vector<PackJob> jobs, const WeightSource& weights, const Kernel& kernel, ThreadTeam& team) {
  std::stable_sort(jobs.begin(), jobs.end(), [](const PackJob& a, const PackJob& b) { return a.cols > b.cols; });
  std::vector<std::exception_ptr> failures(jobs.size());
  std::atomic<std::size_t> next = 0;
  team.run([&](int /*member*/) {
    for (std::size_t i; (i = next.fetch_add(1)) < jobs.size();) {
      const PackJob& job = jobs[i];
      try {
        weights.with_weight(job.id, [&](const WeightMatrix& weight) {
          *job.packed = pack(weight, *job.bias, *job.channel_rows, job.run, kernel);
        });
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace

NativeModel::NativeModel(const QuantizedModel& model, const WeightSource& weights, const Kernel& chosen,
                         ThreadTeam& team)
    : kernel(chosen),
      config(model.config),
      padded_features(round_up(model.config.n_input_features, kBlockChannels)),
      padded_units(round_up(model.config.n_units, kBlockChannels)),
      unit_blocks(padded_units / kBlockChannels),
      gate_channels(3 * padded_units),
      day_residuals(model.day_residuals.size()),
      day_weights(model.day_weights),
      day_biases(model.day_biases),
      weight_ih(model.gru.size()),
      weight_hh(model.gru.size()),
      h0(model.h0),
      activation_scales(model.activation_scales) {
  h0.resize(static_cast<std::size_t>(padded_units), 0.0f);
  const std::vector<std::int64_t> features = channels_in_order(config.n_input_features);
  const std::vector<std::int64_t> gates = channels_by_unit_block(config.n_units);
  const std::vector<std::int64_t> classes = channels_in_order(config.n_classes);
  std::vector<PackJob> jobs;
  using Part = WeightId::Part;
  for (std::size_t d = 0; d < model.day_residuals.size(); ++d) {
    jobs.push_back({{Part::day_residual, d},
                    &model.day_biases[d],
                    &features,
                    config.n_input_features,
                    config.n_input_features,
                    &day_residuals[d]});
  }
  for (std::size_t k = 0; k < model.gru.size(); ++k) {
    const QuantizedGruLayer& layer = model.gru[k];
    const std::int64_t run = config.run_of_layer(static_cast<std::int64_t>(k));
    const std::int64_t inputs = k == 0 ? config.step_input_size() : config.n_units;
    jobs.push_back({{Part::weight_ih, k}, &layer.bias_ih, &gates, run, inputs, &weight_ih[k]});
    jobs.push_back({{Part::weight_hh, k}, &layer.bias_hh, &gates, config.n_units, config.n_units, &weight_hh[k]});
  }
  jobs.push_back({{Part::out}, &model.out_bias, &classes, config.n_units, config.n_units, &out_weight});
  pack_all(std::move(jobs), weights, kernel, team);
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
