// The published decoder's size, with random weights, and what one of its trials costs in products and bytes.
#pragma once

#include "runtime/random_checkpoint.h"

namespace brainquant::benchmarks {

inline constexpr std::int64_t kSmoothedBins = 902 - 9 + 1;  // of a usual trial, smoothed by the default nine taps

/// Two sessions of the 45: a trial uses one.
inline DecoderConfig t15_config() {
  DecoderConfig config;
  config.sessions = {"t15.2023.08.11", "t15.2023.08.13"};
  return config;
}

inline std::vector<float> t15_trial(std::uint32_t seed) {
  std::mt19937 random(seed);
  return testing::normal_values(kSmoothedBins * t15_config().n_input_features, 1.0F, random);
}

struct TrialCost {
  double dense_macs = 0;       // everything but the recurrent products
  double recurrent_bytes = 0;  // one read of a layer's recurrent matrix for each of its steps
};

inline TrialCost trial_cost(const DecoderConfig& c, std::int64_t bins) {
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  const std::int64_t gates = 3 * c.n_units, steps = c.steps_of(bins);
  return {number(bins) * number(c.n_input_features * c.n_input_features) +
              number(steps) *
                  number(gates * c.step_input_size() + (c.n_layers - 1) * gates * c.n_units + c.n_classes * c.n_units),
          number(steps) * number(c.n_layers * gates * c.n_units)};
}

/// Products of one streaming step: with every GRU and output weight once, with the day layer's once a bin.
inline std::int64_t step_macs(const DecoderConfig& c) {
  const std::int64_t gates = 3 * c.n_units;
  return gates * (c.step_input_size() + (2 * c.n_layers - 1) * c.n_units) + c.n_classes * c.n_units +
         c.bins_between_steps() * c.n_input_features * c.n_input_features;
}

/// Bytes of weights that it reads. With 4 bits: a nibble a weight and a byte for every 32 in all but the output layer,
/// which is INT8.
inline std::int64_t step_bytes(const DecoderConfig& c, WeightFormat format) {
  const std::int64_t in_8_bits = format == WeightFormat::int4 ? c.n_classes * c.n_units : step_macs(c);
  const std::int64_t in_4_bits = step_macs(c) - in_8_bits;
  return in_8_bits + in_4_bits / 2 + in_4_bits / Int4Matrix::kGroupInputs;
}

}  // namespace brainquant::benchmarks
