// Quantization without data, for tests of what comes after it.
#pragma once

#include "brainquant/quantization/scheme.h"

namespace brainquant::testing {

/// `options` with weights rounded to nearest: GPTQ would need trials.
inline QuantizationOptions to_nearest(QuantizationOptions options) {
  if (options.has_scales()) options.weight_rounding = WeightRounding::nearest;
  return options;
}

}  // namespace brainquant::testing
