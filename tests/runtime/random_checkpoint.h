// Decoders with random weights, of any size, for tests and benchmarks of the engines.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "quantization/quantizer.h"
#include "support/to_nearest.h"

namespace brainquant::testing {

inline std::vector<float> normal_values(std::int64_t count, float deviation, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

inline Matrix normal_matrix(std::int64_t rows, std::int64_t cols, float deviation, std::mt19937& random) {
  return {rows, cols, normal_values(rows * cols, deviation, random)};
}

/// Weights scaled so that hidden states neither vanish nor saturate.
inline Checkpoint random_checkpoint(const DecoderConfig& config, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  const auto deviation = [](std::int64_t inputs) { return 1.0F / std::sqrt(static_cast<float>(inputs)); };
  Checkpoint checkpoint;
  checkpoint.config = config;
  checkpoint.sha256 = std::string(64, '0');
  const std::int64_t features = config.n_input_features, units = config.n_units;
  DecoderWeights& weights = checkpoint.weights;
  for (std::size_t s = 0; s < config.sessions.size(); ++s) {
    Matrix day = normal_matrix(features, features, 0.2F * deviation(features), random);
    for (std::int64_t i = 0; i < features; ++i) day.row(i)[i] += 1.0F;
    weights.day_weights.push_back(std::move(day));
    weights.day_biases.push_back(normal_values(features, 0.1F, random));
  }
  for (std::int64_t layer = 0; layer < config.n_layers; ++layer) {
    const std::int64_t inputs = layer == 0 ? config.step_input_size() : units;
    weights.gru.push_back({normal_matrix(3 * units, inputs, 2.0F * deviation(inputs), random),
                           normal_matrix(3 * units, units, deviation(units), random),
                           normal_values(3 * units, 0.1F, random), normal_values(3 * units, 0.1F, random)});
  }
  weights.out_weight = normal_matrix(config.n_classes, units, 4.0F * deviation(units), random);
  weights.out_bias = normal_values(config.n_classes, 0.5F, random);
  weights.h0 = normal_values(units, 0.2F, random);
  return checkpoint;
}

/// Scales that suit features of deviation 1, for the static types.
inline ActivationScales plausible_scales(const DecoderConfig& config) {
  ActivationScales scales;
  scales.day_input = 4.0F / 127.0F;
  scales.step_input = 0.8F / 127.0F;
  scales.hidden.assign(static_cast<std::size_t>(config.n_layers), 1.0F / 127.0F);
  return scales;
}

inline QuantizedModel quantized(const Checkpoint& checkpoint, const QuantizationOptions& given) {
  const QuantizationOptions options = to_nearest(given);
  if (!options.is_static()) return quantize(checkpoint, options);
  return quantize(checkpoint, options, plausible_scales(checkpoint.config), {"session/trial_0000"});
}

}  // namespace brainquant::testing
