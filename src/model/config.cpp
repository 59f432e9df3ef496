#include "brainquant/model/config.h"

#include <algorithm>

namespace brainquant {

std::int64_t DecoderConfig::parameter_count() const {
  const std::int64_t day_layer = n_input_features * n_input_features + n_input_features;
  const std::int64_t gates = 3 * n_units;
  std::int64_t gru = 0;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const std::int64_t input = layer == 0 ? step_input_size() : n_units;
    gru += gates * (input + n_units + 2);
  }
  const std::int64_t out = n_classes * n_units + n_classes;
  return static_cast<std::int64_t>(sessions.size()) * day_layer + gru + out + n_units;
}

std::int64_t DecoderConfig::session_index(const std::string& session) const {
  const auto found = std::find(sessions.begin(), sessions.end(), session);
  return found == sessions.end() ? -1 : found - sessions.begin();
}

}  // namespace brainquant
