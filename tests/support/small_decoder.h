// Small random decoders of any shape and trials for them: what tests compare engines on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "brainquant/runtime/engine.h"
#include "quantization/quantizer.h"
#include "support/to_nearest.h"

namespace brainquant::testing {

struct Shape {
  std::int64_t features = 16;
  std::int64_t units = 16;
  std::int64_t layers = 2;
  std::int64_t classes = 41;
  std::int64_t patch_size = 3;
  std::int64_t patch_stride = 2;
  std::int64_t sessions = 2;
};

inline std::string text_of(const Shape& s) {
  const auto n = [](std::int64_t value) { return std::to_string(value); };
  return n(s.features) + " features, " + n(s.layers) + " layers of " + n(s.units) + ", " + n(s.classes) +
         " classes, patches " + n(s.patch_size) + "/" + n(s.patch_stride) + ", " + n(s.sessions) + " sessions";
}

inline DecoderConfig config_of(const Shape& shape) {
  DecoderConfig config;
  config.n_input_features = shape.features;
  config.n_units = shape.units;
  config.n_layers = shape.layers;
  config.n_classes = shape.classes;
  config.patch_size = shape.patch_size;
  config.patch_stride = shape.patch_stride;
  for (std::int64_t d = 0; d < shape.sessions; ++d) config.sessions.push_back("t15.2023.08." + std::to_string(11 + d));
  return config;
}

class RandomNumbers {
 public:
  explicit RandomNumbers(unsigned seed) : engine_(seed) {}
  std::vector<float> normal(std::int64_t count, float deviation) {
    std::normal_distribution<float> distribution(0.0F, deviation);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& v : values) v = distribution(engine_);
    return values;
  }
  /// Whole numbers from `low` to `high`, both possible.
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  Matrix matrix(std::int64_t rows, std::int64_t cols, float deviation) {
    return {rows, cols, normal(rows * cols, deviation)};
  }

 private:
  std::mt19937 engine_;
};

/// Day weights near the identity, a GRU whose gates are neither stuck nor idle, h0 away from zero.
inline Checkpoint random_checkpoint(const Shape& shape, unsigned seed) {
  RandomNumbers random(seed);
  Checkpoint checkpoint;
  checkpoint.config = config_of(shape);
  checkpoint.sha256 = std::string(64, 'a');
  DecoderWeights& weights = checkpoint.weights;
  for (std::int64_t d = 0; d < shape.sessions; ++d) {
    Matrix day = random.matrix(shape.features, shape.features, 0.1F);
    for (std::int64_t i = 0; i < shape.features; ++i) day.row(i)[i] += 1.0F;
    weights.day_weights.push_back(std::move(day));
    weights.day_biases.push_back(random.normal(shape.features, 0.1F));
  }
  for (std::int64_t k = 0; k < shape.layers; ++k) {
    const std::int64_t inputs = k == 0 ? checkpoint.config.step_input_size() : shape.units;
    const float spread = 1.5F / std::sqrt(static_cast<float>(inputs));
    GruLayerWeights layer;
    layer.weight_ih = random.matrix(3 * shape.units, inputs, spread);
    layer.weight_hh = random.matrix(3 * shape.units, shape.units, 1.5F / std::sqrt(static_cast<float>(shape.units)));
    layer.bias_ih = random.normal(3 * shape.units, 0.2F);
    layer.bias_hh = random.normal(3 * shape.units, 0.2F);
    weights.gru.push_back(std::move(layer));
  }
  weights.out_weight = random.matrix(shape.classes, shape.units, 0.5F);
  weights.out_bias = random.normal(shape.classes, 0.2F);
  weights.h0 = random.normal(shape.units, 0.3F);
  return checkpoint;
}

/// Scales that some activations of random_features() go beyond, so that saturation is met too.
inline ActivationScales tight_scales(const Shape& shape) {
  ActivationScales scales;
  scales.day_input = 2.0F / 127;
  scales.step_input = 0.7F / 127;
  for (std::int64_t k = 0; k < shape.layers; ++k) scales.hidden.push_back((0.6F + 0.1F * static_cast<float>(k)) / 127);
  return scales;
}

inline QuantizedModel random_model(const Shape& shape, const QuantizationOptions& options, unsigned seed) {
  std::optional<ActivationScales> scales;
  if (options.is_static()) scales = tight_scales(shape);
  return quantize(random_checkpoint(shape, seed), to_nearest(options), scales);
}

/// Features as smoothing leaves them, with a bin of zeros here and there.
inline std::vector<float> random_features(std::int64_t bins, std::int64_t features, unsigned seed) {
  std::vector<float> values = RandomNumbers(seed).normal(bins * features, 1.0F);
  for (std::int64_t t = 3; t < bins; t += 17) {
    std::fill_n(values.begin() + t * features, features, 0.0F);
  }
  return values;
}

/// Trials with their memory.
struct Trials {
  std::vector<std::vector<float>> features;
  std::vector<EngineInput> inputs;
};

inline Trials random_trials(const DecoderConfig& config, const std::vector<std::int64_t>& bins, unsigned seed) {
  Trials trials;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    trials.features.push_back(random_features(bins[i], config.n_input_features, seed + static_cast<unsigned>(i)));
  }
  for (std::size_t i = 0; i < bins.size(); ++i) {
    trials.inputs.push_back(
        {trials.features[i].data(), bins[i], static_cast<std::int64_t>(i % config.sessions.size())});
  }
  return trials;
}

/// Every INT8 way of quantizing that changes what an engine does.
inline std::vector<QuantizationOptions> int8_ways() {
  std::vector<QuantizationOptions> ways(5);
  ways[1].weight_granularity = Granularity::per_channel;
  ways[2].quantization_type = QuantizationType::static_per_tensor;
  ways[3].quantization_type = QuantizationType::static_per_channel;
  ways[4].day_layers = DayLayers::keep_float;
  ways.push_back(ways[2]);
  ways.back().day_layers = DayLayers::keep_float;
  for (QuantizationOptions& way : ways) way = to_nearest(way);
  return ways;
}

/// 4 bits with both kinds of activations; no GPTQ, which needs recordings.
inline std::vector<QuantizationOptions> int4_ways() {
  std::vector<QuantizationOptions> ways(4);
  for (QuantizationOptions& way : ways) way.dtype = Dtype::qint4;
  ways[3].dtype = Dtype::mixed;
  ways[3].bits = {"*weight*=4", "gru.weight_hh_l0=8"};  // the day layers and this one stay INT8
  ways[1].quantization_type = QuantizationType::static_per_channel;
  ways[1].weight_rounding = WeightRounding::nearest;
  ways[2].day_layers = DayLayers::keep_float;
  return ways;
}

inline std::string text_of(const QuantizationOptions& options) {
  return options.method_name() + " " + name_of(options.effective_granularity()) + ", day layers " +
         name_of(options.day_layers);
}

}  // namespace brainquant::testing
