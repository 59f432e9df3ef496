#include "runtime/finite_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "brainquant/support/error.h"
#include "model/usable_values.h"
#include "runtime/numerics.h"

namespace brainquant {

void require_usable_features(std::span<const float> values, std::int64_t features, std::int64_t first_bin,
                             const std::string& trial) {
  if (all_usable(values)) return;
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float value) { return !(std::fabs(value) <= kLargestMagnitude); });
  const std::int64_t at = bad - values.begin();
  throw WorkError(fmt::format("{}bin {}, feature {}: found {}, expected a number from {:g} to {:g}", trial,
                              first_bin + at / features, at % features, *bad, -kLargestMagnitude, kLargestMagnitude));
}

void require_finite_logits(std::span<const float> values, std::int64_t classes, std::int64_t first_step,
                           const std::string& trial) {
  if (numerics::all_finite(values.data(), static_cast<std::int64_t>(values.size()))) return;
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  const std::int64_t at = bad - values.begin();
  throw WorkError(fmt::format("{}step {}, class {}: the logit is {}: weights and features this large overflow", trial,
                              first_step + at / classes, at % classes, *bad));
}

}  // namespace brainquant
