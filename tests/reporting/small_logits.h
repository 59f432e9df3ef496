// Files of a few logits written out by hand.
#pragma once

#include <string>
#include <vector>

#include "io/hdf5_logits.h"

namespace brainquant::testing {

/// The trials "s/trial_0", "s/trial_1" and so on, each [steps, classes].
inline void write_logits(const std::filesystem::path& path, const std::vector<std::vector<float>>& trials,
                         std::int64_t classes) {
  LogitsFileWriter writer(path);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const auto steps = static_cast<std::int64_t>(trials[i].size()) / classes;
    writer.write(
        {"s", "trial_" + std::to_string(i), 1, static_cast<std::int64_t>(i), steps, classes, trials[i].data()});
  }
  writer.flush();
}

}  // namespace brainquant::testing
