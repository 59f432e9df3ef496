#include "runtime/require_int8.h"

#include <fmt/format.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "runtime/kernel_constants.h"

namespace brainquant {

bool runs_as_int8(WeightFormat format) {
  switch (format) {
    case WeightFormat::int8:
    case WeightFormat::int4:
      return true;
    case WeightFormat::float16:
    case WeightFormat::float32:
      return false;
  }
  refuse_enumerator(static_cast<int>(format));
}

Int8Matrix int8_of(const WeightMatrix& weight) {
  const auto* int4 = std::get_if<Int4Matrix>(&weight);
  return int4 != nullptr ? expanded(*int4) : std::get<Int8Matrix>(weight);
}

void require_int8(const std::vector<WeightFormat>& formats, const DecoderConfig& config, const std::string& engine) {
  for (const WeightFormat format : formats) {
    if (runs_as_int8(format)) continue;
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
