#include "torch/float_decoder.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "brainquant/support/error.h"
#include "torch/gru_layer.h"

namespace brainquant {

namespace {

/// Trials that run side by side at most, and steps (of all of them together) that pass through the layers at a time:
/// the patches of 512 steps of the published model take 15 MB.
constexpr std::int64_t kTrialsTogether = 16;
constexpr std::int64_t kRowsTogether = 512;

at::Tensor view_of(const float* values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values), shape, at::kFloat);
}

}  // namespace

struct FloatDecoder::Impl {
  DecoderConfig config;
  at::Device device = at::kCPU;
  std::vector<at::Tensor> day_weights;
  std::vector<at::Tensor> day_biases;
  std::vector<std::unique_ptr<GruLayer>> layers;
  at::Tensor out_weight, out_bias, h0;

  at::Tensor placed(const std::vector<float>& values, at::IntArrayRef shape) const {
    return view_of(values.data(), shape).to(device, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  }
  at::Tensor placed(const Matrix& matrix) const { return placed(matrix.values, {matrix.rows, matrix.cols}); }

  at::Tensor day_output(const float* x, std::int64_t bins, std::int64_t session) const {
    const auto d = static_cast<std::size_t>(session);
    const at::Tensor input = view_of(x, {bins, config.n_input_features}).to(device);
    const at::Tensor v = at::addmm(day_biases[d], input, day_weights[d]);
    return v / (v.abs() + 1.0);
  }

  /// Patches [steps, step_input_size] of the steps [begin, end) of one trial's day output.
  at::Tensor patches(const at::Tensor& day, std::int64_t begin, std::int64_t end) const {
    const std::int64_t features = config.n_input_features;
    return day.as_strided({end - begin, config.step_input_size()}, {config.bins_between_steps() * features, 1},
                          day.storage_offset() + begin * config.bins_between_steps() * features);
  }

  at::Tensor initial_state(std::int64_t trials) const { return h0.expand({trials, config.n_units}).contiguous(); }

  void decode_group(std::span<const Input> batch, const std::vector<std::size_t>& group,
                    std::vector<std::vector<float>>& results) const {
    std::vector<at::Tensor> days;
    std::vector<std::int64_t> steps;
    for (const std::size_t i : group) {
      days.push_back(day_output(batch[i].features, batch[i].bins, batch[i].session_index));
      steps.push_back(config.steps_of(batch[i].bins));
    }
    auto active = static_cast<std::int64_t>(group.size());
    std::vector<at::Tensor> states(layers.size());
    for (at::Tensor& state : states) state = initial_state(active);
    const std::int64_t together = std::max<std::int64_t>(1, kRowsTogether / active);
    for (std::int64_t begin = 0; begin < steps[0]; begin += together) {
      const std::int64_t end = std::min(begin + together, steps[0]);
      while (steps[static_cast<std::size_t>(active - 1)] <= begin) --active;
      at::Tensor rows = at::zeros({end - begin, active, config.step_input_size()}, h0.options());
      for (std::int64_t i = 0; i < active; ++i) {
        const std::int64_t own_end = std::min(end, steps[static_cast<std::size_t>(i)]);
        rows.select(1, i)
            .narrow(0, 0, own_end - begin)
            .copy_(patches(days[static_cast<std::size_t>(i)], begin, own_end));
      }
      for (std::size_t k = 0; k < layers.size(); ++k) {
        at::Tensor state = states[k].narrow(0, 0, active).contiguous();
        rows = layers[k]->sequence(rows, state);
        states[k] = state;
      }
      const at::Tensor logits = at::linear(rows, out_weight, out_bias).cpu();
      for (std::int64_t i = 0; i < active; ++i) {
        const std::int64_t own_end = std::min(end, steps[static_cast<std::size_t>(i)]);
        const at::Tensor mine = logits.select(1, i).narrow(0, 0, own_end - begin).contiguous();
        std::vector<float>& result = results[group[static_cast<std::size_t>(i)]];
        result.insert(result.end(), mine.const_data_ptr<float>(), mine.const_data_ptr<float>() + mine.numel());
      }
    }
  }
};

namespace {
/// Runs `work`, turning LibTorch's errors into ours.
template <typename Work>
auto guarded(const Work& work) {
  const c10::InferenceMode no_gradients;
  try {
    return work();
  } catch (const c10::Error& error) {
    throw WorkError(std::string("LibTorch: ") + error.what_without_backtrace());
  }
}
}  // namespace

FloatDecoder::FloatDecoder(const DecoderConfig& config, const DecoderWeights& weights, int gpu_number,
                           GruProducts products)
    : impl_(std::make_unique<Impl>()) {
  guarded([&] {
    impl_->config = config;
    if (gpu_number >= 0) impl_->device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(gpu_number));
    for (const Matrix& day : weights.day_weights) impl_->day_weights.push_back(impl_->placed(day));
    for (const std::vector<float>& bias : weights.day_biases) {
      impl_->day_biases.push_back(impl_->placed(bias, {config.n_input_features}));
    }
    const bool float16 = products == GruProducts::float16 && gpu_number < 0 && has_float16_gru_layers();
    for (const GruLayerWeights& layer : weights.gru) {
      GruLayerTensors tensors = {impl_->placed(layer.weight_ih), impl_->placed(layer.weight_hh),
                                 impl_->placed(layer.bias_ih, {3 * config.n_units}),
                                 impl_->placed(layer.bias_hh, {3 * config.n_units})};
      impl_->layers.push_back(float16 ? make_float16_gru_layer(tensors) : make_fp32_gru_layer(std::move(tensors)));
    }
    impl_->out_weight = impl_->placed(weights.out_weight);
    impl_->out_bias = impl_->placed(weights.out_bias, {config.n_classes});
    impl_->h0 = impl_->placed(weights.h0, {1, config.n_units});
  });
}

FloatDecoder::~FloatDecoder() = default;

std::vector<std::vector<float>> FloatDecoder::decode(std::span<const Input> batch) const {
  return guarded([&] {
    std::vector<std::vector<float>> results(batch.size());
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (impl_->config.steps_of(batch[i].bins) > 0) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return batch[a].bins > batch[b].bins; });
    for (std::size_t first = 0; first < order.size(); first += kTrialsTogether) {
      const std::size_t end = std::min(order.size(), first + kTrialsTogether);
      impl_->decode_group(
          batch, {order.begin() + static_cast<std::ptrdiff_t>(first), order.begin() + static_cast<std::ptrdiff_t>(end)},
          results);
    }
    return results;
  });
}

void FloatDecoder::observe(const Input& input, ActivationViewer& viewer) const {
  guarded([&] {
    const std::int64_t steps = impl_->config.steps_of(input.bins);
    if (steps == 0) return;
    const auto seen = [](const at::Tensor& values) {
      return std::span<const float>(values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel()));
    };
    const at::Tensor day = impl_->day_output(input.features, input.bins, input.session_index);
    viewer.see_step_input(seen(day.cpu()));
    std::vector<at::Tensor> states(impl_->layers.size(), impl_->initial_state(1));
    for (std::int64_t begin = 0; begin < steps; begin += kRowsTogether) {
      at::Tensor rows = impl_->patches(day, begin, std::min(begin + kRowsTogether, steps)).unsqueeze(1).contiguous();
      for (std::size_t k = 0; k < impl_->layers.size(); ++k) {
        rows = impl_->layers[k]->sequence(rows, states[k]);
        viewer.see_hidden(static_cast<std::int64_t>(k), seen(rows.cpu().contiguous()));
      }
      viewer.see_logits(seen(at::linear(rows, impl_->out_weight, impl_->out_bias).cpu().contiguous()));
    }
  });
}

void FloatDecoder::day_layer(std::int64_t session_index, const float* x, float* y) const {
  guarded([&] {
    const at::Tensor day = impl_->day_output(x, 1, session_index).cpu();
    std::copy_n(day.const_data_ptr<float>(), day.numel(), y);
  });
}

void FloatDecoder::step(const float* patch, float* hidden, float* logits) const {
  guarded([&] {
    const DecoderConfig& config = impl_->config;
    at::Tensor row = view_of(patch, {1, config.step_input_size()}).to(impl_->device);
    for (std::size_t k = 0; k < impl_->layers.size(); ++k) {
      float* own = hidden + static_cast<std::int64_t>(k) * config.n_units;
      const at::Tensor state = view_of(own, {1, config.n_units}).to(impl_->device);
      row = impl_->layers[k]->step(row, state);
      const at::Tensor back = row.cpu().contiguous();
      std::copy_n(back.const_data_ptr<float>(), config.n_units, own);
    }
    const at::Tensor out = at::linear(row, impl_->out_weight, impl_->out_bias).cpu();
    std::copy_n(out.const_data_ptr<float>(), config.n_classes, logits);
  });
}

}  // namespace brainquant
