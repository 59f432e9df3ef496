// The only file that uses LibTorch's quantized operators: their dtypes are deprecated (pytorch issue 184982) and will
// go.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/quantized/PackedParams.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "brainquant/support/error.h"
#include "runtime/numerics.h"
#include "runtime/patch_buffer.h"
#include "runtime/reference_engine.h"
#include "runtime/require_int8.h"
#include "torch/libtorch_engine.h"
#include "torch/libtorch_environment.h"

namespace brainquant {

namespace {

/// LibTorch warns on stderr that its quantized dtypes are deprecated; the library never prints.
class SilentWarnings : public c10::WarningHandler {
 public:
  void process(const c10::Warning& /*warning*/) override {}
};

using PackedWeights = c10::intrusive_ptr<LinearPackedParamsBase>;

/// x [rows, inputs] in units of each row's scale, -127 to 127 before rounding, and those scales [rows, 1].
struct NormalizedRows {
  at::Tensor values;
  at::Tensor scales;
};

struct LinearLayer {
  PackedWeights weights;  // INT8, no bias
  at::Tensor bias;

  at::Tensor operator()(const NormalizedRows& x) const {
    // The operator rounds x / 1 + 128 to an unsigned byte and gives q * scale_w summed, in fp32. Without VNNI its
    // 16-bit sums of two products hold only 7-bit activations.
    const bool narrow = !__builtin_cpu_supports("avx512vnni");
    const at::Tensor product = weights->apply_with_input_q_dq_qweight_dq_output_fp32(
        x.values.contiguous(), narrow ? 2.0 : 1.0, narrow ? 64 : 128);
    return product * x.scales + bias;
  }
};

LinearLayer packed(const WeightMatrix& weight, const std::vector<float>& bias) {
  static const auto prepack = c10::Dispatcher::singleton()
                                  .findSchemaOrThrow("quantized::linear_prepack", "")
                                  .typed<PackedWeights(at::Tensor, std::optional<at::Tensor>)>();
  const Int8Matrix w = int8_of(weight);
  const at::Tensor values =
      at::from_blob(const_cast<std::int8_t*>(w.values.data()), {w.rows, w.cols}, at::kChar).clone();
  at::Tensor quantized;
  if (w.scales.size() == 1) {
    quantized = at::_make_per_tensor_quantized_tensor(values, static_cast<double>(w.scales[0]), 0);
  } else {
    const at::Tensor scales = at::from_blob(const_cast<float*>(w.scales.data()), {w.rows}, at::kFloat).to(at::kDouble);
    quantized = at::_make_per_channel_quantized_tensor(values, scales, at::zeros({w.rows}, at::kLong), 0);
  }
  return {prepack.call(quantized, std::nullopt),
          at::from_blob(const_cast<float*>(bias.data()), {w.rows}, at::kFloat).clone()};
}

struct TorchState : EngineState {
  std::int64_t session_index = 0;
  PatchBuffer patch;
  std::vector<at::Tensor> hidden;  // per layer [1, n_units]; replaced, never written to
  bool overflowed = false;         // a NaN was met since the start of the trial
};

class LibTorchInt8Engine : public Engine {
 public:
  explicit LibTorchInt8Engine(const QuantizedModel& model)
      : config_(model.config),
        scales_(model.activation_scales),
        day_weights_(model.day_weights),
        day_biases_(model.day_biases) {
    for (std::size_t d = 0; d < model.day_residuals.size(); ++d) {
      day_layers_.push_back(packed(model.day_residuals[d], model.day_biases[d]));
    }
    for (const QuantizedGruLayer& layer : model.gru) {
      input_layers_.push_back(packed(layer.weight_ih, layer.bias_ih));
      recurrent_layers_.push_back(packed(layer.weight_hh, layer.bias_hh));
    }
    out_ = packed(model.out_weight, model.out_bias);
    h0_ = at::from_blob(const_cast<float*>(model.h0.data()), {1, config_.n_units}, at::kFloat).clone();
  }

  std::string name() const override { return "libtorch"; }
  std::string instructions() const override { return libtorch_cpu_capability(); }
  const DecoderConfig& config() const override { return config_; }

  std::vector<Logits> decode(std::span<const EngineInput> batch) override {
    std::vector<Logits> results;
    for (const EngineInput& input : batch) results.push_back(decode_trial(input));
    return results;
  }

  std::unique_ptr<EngineState> make_state(std::int64_t session_index) const override {
    auto state = std::make_unique<TorchState>();
    reset(*state, session_index);
    return state;
  }
  void reset(EngineState& state, std::int64_t session_index) const override {
    auto& s = static_cast<TorchState&>(state);
    s.session_index = session_index;
    s.patch.clear();
    s.overflowed = false;
    s.hidden.assign(input_layers_.size(), h0_);
  }
  std::unique_ptr<EngineState> copy(const EngineState& state) const override {
    return std::make_unique<TorchState>(static_cast<const TorchState&>(state));
  }

  bool push(EngineState& state, const float* bin, float* logits) override {
    const c10::InferenceMode no_gradients;
    auto& s = static_cast<TorchState&>(state);
    if (s.patch.skips_next()) return false;
    const at::Tensor y = day_output(bin, 1, s.session_index);
    s.overflowed |= !is_finite(y);
    const std::vector<float> day(y.const_data_ptr<float>(), y.const_data_ptr<float>() + y.numel());
    if (!s.patch.add(day, config_)) return false;
    const at::Tensor patch =
        at::from_blob(const_cast<float*>(s.patch.values().data()), {1, config_.step_input_size()}, at::kFloat);
    NormalizedRows rows = normalized(patch, scales_ ? std::optional(scales_->step_input) : std::nullopt);
    for (std::size_t k = 0; k < input_layers_.size(); ++k) {
      const at::Tensor gi = input_layers_[k](rows);
      s.hidden[k] = next_state(k, gi, s.hidden[k]);
      rows = normalized_hidden(k, s.hidden[k]);
      s.overflowed |= !is_finite(s.hidden[k]);
    }
    const at::Tensor out = out_(rows);
    std::copy_n(out.const_data_ptr<float>(), config_.n_classes, logits);
    if (s.overflowed) std::fill_n(logits, config_.n_classes, std::numeric_limits<float>::quiet_NaN());
    s.patch.advance(config_);
    return true;
  }

 private:
  static bool is_finite(const at::Tensor& values) { return at::isfinite(values).all().item<bool>(); }

  static NormalizedRows normalized(const at::Tensor& x, std::optional<float> static_scale) {
    if (static_scale) {
      return {(x / *static_scale).clamp(-127.0, 127.0), at::full({x.size(0), 1}, *static_scale)};
    }
    const at::Tensor maximum = x.abs().amax(1, /*keepdim=*/true);
    const at::Tensor scales =
        at::where(maximum < numerics::kSmallestRowMaximum, at::ones_like(maximum), maximum / 127.0);
    return {x / scales, scales};
  }

  NormalizedRows normalized_hidden(std::size_t layer, const at::Tensor& h) const {
    return normalized(h, scales_ ? std::optional(scales_->hidden[layer]) : std::nullopt);
  }

  at::Tensor day_output(const float* x, std::int64_t bins, std::int64_t session) const {
    const auto d = static_cast<std::size_t>(session);
    const std::int64_t features = config_.n_input_features;
    if (day_layers_.empty()) {
      at::Tensor y = at::empty({bins, features}, at::kFloat);
      for (std::int64_t t = 0; t < bins; ++t) {
        float_day_layer(day_weights_[d], day_biases_[d], x + t * features, y.mutable_data_ptr<float>() + t * features);
      }
      return y;
    }
    const at::Tensor input = at::from_blob(const_cast<float*>(x), {bins, features}, at::kFloat);
    const at::Tensor v =
        day_layers_[d](normalized(input, scales_ ? std::optional(scales_->day_input) : std::nullopt)) + input;
    return (v / (v.abs() + 1.0)).contiguous();
  }

  at::Tensor next_state(std::size_t layer, const at::Tensor& gi, const at::Tensor& h) const {
    const std::vector<at::Tensor> i = gi.chunk(3, 1);
    const std::vector<at::Tensor> g = recurrent_layers_[layer](normalized_hidden(layer, h)).chunk(3, 1);
    const at::Tensor r = at::sigmoid(i[0] + g[0]);
    const at::Tensor z = at::sigmoid(i[1] + g[1]);
    const at::Tensor n = at::tanh(i[2] + r * g[2]);
    return n + z * (h - n);
  }

  Logits decode_trial(const EngineInput& input) {
    const c10::InferenceMode no_gradients;
    const std::int64_t steps = config_.steps_of(input.bins);
    Logits logits{steps, config_.n_classes, {}};
    if (steps == 0) return logits;
    const at::Tensor day = day_output(input.features, input.bins, input.session_index);
    const at::Tensor patches = day.as_strided({steps, config_.step_input_size()},
                                              {config_.bins_between_steps() * config_.n_input_features, 1});
    bool finite = is_finite(patches);
    NormalizedRows rows = normalized(patches, scales_ ? std::optional(scales_->step_input) : std::nullopt);
    for (std::size_t k = 0; k < input_layers_.size(); ++k) {
      const at::Tensor gi = input_layers_[k](rows);
      at::Tensor states = at::empty({steps, config_.n_units}, at::kFloat);
      at::Tensor h = h0_;
      for (std::int64_t t = 0; t < steps; ++t) {
        h = next_state(k, gi.narrow(0, t, 1), h);
        states.narrow(0, t, 1).copy_(h);
      }
      rows = normalized_hidden(k, states);
      finite = finite && is_finite(states);
    }
    const at::Tensor out = out_(rows).contiguous();
    logits.values.assign(out.const_data_ptr<float>(), out.const_data_ptr<float>() + out.numel());
    if (!finite) std::fill(logits.values.begin(), logits.values.end(), std::numeric_limits<float>::quiet_NaN());
    return logits;
  }

  DecoderConfig config_;
  std::optional<ActivationScales> scales_;
  std::vector<Matrix> day_weights_;
  std::vector<std::vector<float>> day_biases_;
  std::vector<LinearLayer> day_layers_, input_layers_, recurrent_layers_;
  LinearLayer out_;
  at::Tensor h0_;
};

}  // namespace

std::unique_ptr<Engine> make_libtorch_int8_engine(const QuantizedModel& model) {
  require_int8(model.weight_formats(), model.config, "libtorch");
  SilentWarnings silent;
  const c10::WarningUtils::WarningHandlerGuard guard(&silent);
  try {
    return std::make_unique<LibTorchInt8Engine>(model);
  } catch (const c10::Error& error) {
    throw WorkError(std::string("LibTorch: ") + error.what_without_backtrace());
  }
}

}  // namespace brainquant
