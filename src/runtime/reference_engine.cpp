#include "runtime/reference_engine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "quantization/weight_source.h"
#include "runtime/numerics.h"
#include "runtime/patch_buffer.h"
#include "runtime/require_int8.h"

namespace brainquant {

namespace {

/// A row as it enters a product.
struct QuantizedRow {
  float scale = 1;
  std::vector<std::int8_t> values;
};

struct ReferenceState : EngineState {
  std::int64_t session_index = 0;
  PatchBuffer patch;
  std::vector<std::vector<float>> hidden;  // per layer
  std::vector<QuantizedRow> hidden_row;    // the same, as it enters products
  bool overflowed = false;                 // a NaN was met since the start of the trial
};

class ReferenceEngine : public Engine {
 public:
  explicit ReferenceEngine(const QuantizedModel& model) : model_(model) {
    require_int8(model.weight_formats(), model.config, "reference");
    for (const WeightId& id : weight_ids(model_)) weight_of(model_, id) = int8_of(weight_of(model_, id));
  }

  std::string name() const override { return "reference"; }
  std::string instructions() const override { return kReferenceInstructions; }
  const DecoderConfig& config() const override { return model_.config; }

  std::vector<Logits> decode(std::span<const EngineInput> batch) override {
    std::vector<Logits> results;
    for (const EngineInput& input : batch) {
      const std::int64_t steps = config().steps_of(input.bins);
      Logits logits{steps, config().n_classes,
                    std::vector<float>(static_cast<std::size_t>(steps * config().n_classes))};
      const std::unique_ptr<EngineState> state = make_state(input.session_index);
      float* next = logits.values.data();
      for (std::int64_t t = 0; t < input.bins && next < logits.values.data() + logits.values.size(); ++t) {
        if (push(*state, input.features + t * config().n_input_features, next)) next += config().n_classes;
      }
      results.push_back(std::move(logits));
    }
    return results;
  }

  std::unique_ptr<EngineState> make_state(std::int64_t session_index) const override {
    auto state = std::make_unique<ReferenceState>();
    reset(*state, session_index);
    return state;
  }

  void reset(EngineState& state, std::int64_t session_index) const override {
    auto& s = static_cast<ReferenceState&>(state);
    s.session_index = session_index;
    s.patch.clear();
    s.overflowed = false;
    s.hidden.assign(model_.gru.size(), model_.h0);
    s.hidden_row.clear();
    for (std::size_t k = 0; k < model_.gru.size(); ++k) s.hidden_row.push_back(quantize_hidden(k, model_.h0));
  }

  std::unique_ptr<EngineState> copy(const EngineState& state) const override {
    return std::make_unique<ReferenceState>(static_cast<const ReferenceState&>(state));
  }

  bool push(EngineState& state, const float* bin, float* logits) override {
    auto& s = static_cast<ReferenceState&>(state);
    if (s.patch.skips_next()) return false;
    const std::vector<float> y = day_layer(s.session_index, bin);
    s.overflowed |= !is_finite(y);
    if (!s.patch.add(y, config())) return false;
    step(s, logits);
    for (const std::vector<float>& h : s.hidden) s.overflowed |= !is_finite(h);
    if (s.overflowed) std::fill_n(logits, config().n_classes, std::numeric_limits<float>::quiet_NaN());
    s.patch.advance(config());
    return true;
  }

 private:
  static bool is_finite(const std::vector<float>& values) {
    return numerics::all_finite(values.data(), static_cast<std::int64_t>(values.size()));
  }

  QuantizedRow quantize_row(const std::vector<float>& values, float ActivationScales::*scale) const {
    return quantize_with(values, model_.activation_scales
                                     ? numerics::static_row_scale((*model_.activation_scales).*scale)
                                     : dynamic_scale(values));
  }

  QuantizedRow quantize_hidden(std::size_t layer, const std::vector<float>& values) const {
    return quantize_with(values, model_.activation_scales
                                     ? numerics::static_row_scale(model_.activation_scales->hidden[layer])
                                     : dynamic_scale(values));
  }

  static numerics::RowScale dynamic_scale(const std::vector<float>& values) {
    float maximum = 0;
    for (const float v : values) maximum = std::max(maximum, std::fabs(v));
    return numerics::dynamic_row_scale(maximum);
  }

  static QuantizedRow quantize_with(const std::vector<float>& values, numerics::RowScale scale) {
    QuantizedRow row{scale.scale, std::vector<std::int8_t>(values.size())};
    for (std::size_t i = 0; i < values.size(); ++i) row.values[i] = numerics::quantize(values[i], scale.inverse);
    return row;
  }

  static std::vector<float> affine(const QuantizedRow& x, const WeightMatrix& weight, const std::vector<float>& bias) {
    const auto& w = std::get<Int8Matrix>(weight);
    std::vector<float> out(static_cast<std::size_t>(w.rows));
    for (std::int64_t j = 0; j < w.rows; ++j) {
      std::int32_t acc = 0;
      for (std::int64_t i = 0; i < w.cols; ++i) acc += x.values[static_cast<std::size_t>(i)] * w.row(j)[i];
      out[static_cast<std::size_t>(j)] = numerics::affine(acc, x.scale, w.scale(j), bias[static_cast<std::size_t>(j)]);
    }
    return out;
  }

  std::vector<float> day_layer(std::int64_t session, const float* bin) const {
    const auto d = static_cast<std::size_t>(session);
    const std::vector<float> x(bin, bin + config().n_input_features);
    std::vector<float> y(x.size());
    if (model_.day_residuals.empty()) {
      float_day_layer(model_.day_weights[d], model_.day_biases[d], bin, y.data());
      return y;
    }
    y = affine(quantize_row(x, &ActivationScales::day_input), model_.day_residuals[d], model_.day_biases[d]);
    for (std::size_t j = 0; j < y.size(); ++j) y[j] = numerics::softsign(y[j] + x[j]);
    return y;
  }

  void step(ReferenceState& s, float* logits) const {
    const auto units = static_cast<std::size_t>(config().n_units);
    QuantizedRow input = quantize_row(s.patch.values(), &ActivationScales::step_input);
    for (std::size_t k = 0; k < model_.gru.size(); ++k) {
      const QuantizedGruLayer& layer = model_.gru[k];
      const std::vector<float> gi = affine(input, layer.weight_ih, layer.bias_ih);
      const std::vector<float> gh = affine(s.hidden_row[k], layer.weight_hh, layer.bias_hh);
      std::vector<float>& h = s.hidden[k];
      for (std::size_t u = 0; u < units; ++u) {
        h[u] = numerics::updated_state(gi[u], gi[units + u], gi[2 * units + u], gh[u], gh[units + u], gh[2 * units + u],
                                       h[u]);
      }
      s.hidden_row[k] = quantize_hidden(k, h);
      input = s.hidden_row[k];
    }
    const std::vector<float> out = affine(input, model_.out_weight, model_.out_bias);
    std::copy(out.begin(), out.end(), logits);
  }

  QuantizedModel model_;  // with INT8 weights
};

}  // namespace

void float_day_layer(const Matrix& weight, const std::vector<float>& bias, const float* x, float* y) {
  std::fill(y, y + weight.cols, 0.0f);
  for (std::int64_t i = 0; i < weight.rows; ++i) {
    const float* row = weight.row(i);
    for (std::int64_t j = 0; j < weight.cols; ++j) y[j] = y[j] + x[i] * row[j];
  }
  for (std::int64_t j = 0; j < weight.cols; ++j) y[j] = numerics::softsign(y[j] + bias[static_cast<std::size_t>(j)]);
}

std::unique_ptr<Engine> make_reference_engine(const QuantizedModel& model) {
  return std::make_unique<ReferenceEngine>(model);
}

}  // namespace brainquant
