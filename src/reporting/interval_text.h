// A difference with its interval, as every table shows it.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>

#include "brainquant/scoring/bootstrap.h"

namespace brainquant {

/// "+0.31 [-0.05, +0.68]", "-" without one.
inline std::string interval_text(const std::optional<RateDifference>& difference) {
  if (!difference) return "-";
  return fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", difference->difference, difference->low, difference->high);
}

}  // namespace brainquant
