#include "runtime/require_int8.h"

#include <fmt/format.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "runtime/kernel_constants.h"

namespace brainquant {

void require_int8(const std::vector<WeightFormat>& formats, const DecoderConfig& config, const std::string& engine) {
  for (const WeightFormat format : formats) {
    if (format == WeightFormat::int8) continue;
    throw UsageError(fmt::format("the {} engine runs INT8 models, this one has {} weights; use --engine libtorch",
                                 engine, name_of(format)));
  }
  const std::int64_t widest = std::max(config.step_input_size(), config.n_units);
  if (widest > numerics::kWidestRow) {
    throw UsageError(
        fmt::format("a row of {} values is too wide for exact int32 sums (at most {})", widest, numerics::kWidestRow));
  }
}

}  // namespace brainquant
