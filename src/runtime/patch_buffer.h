// The day layer's outputs of the bins that the next step sees.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "brainquant/model/config.h"

namespace brainquant {

class PatchBuffer {
 public:
  void clear() {
    bins_to_skip_ = 0;
    values_.clear();
  }
  /// True if the next bin belongs to no patch (a stride longer than the patch); it is then passed over.
  bool skips_next() {
    if (bins_to_skip_ == 0) return false;
    --bins_to_skip_;
    return true;
  }
  /// Adds one bin's day output [n_input_features]; true if the patch is then complete.
  bool add(const std::vector<float>& day_output, const DecoderConfig& config) {
    values_.insert(values_.end(), day_output.begin(), day_output.end());
    return static_cast<std::int64_t>(values_.size()) == config.step_input_size();
  }
  /// The complete patch, bin-major [step_input_size].
  const std::vector<float>& values() const { return values_; }
  /// After a step: drops what the next patch does not see.
  void advance(const DecoderConfig& config) {
    const std::int64_t drop = std::min(config.bins_between_steps(), config.bins_per_step());
    values_.erase(values_.begin(), values_.begin() + drop * config.n_input_features);
    bins_to_skip_ = config.bins_between_steps() - drop;
  }

 private:
  std::int64_t bins_to_skip_ = 0;
  std::vector<float> values_;
};

}  // namespace brainquant
