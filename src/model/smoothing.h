// Gaussian smoothing of features along time, as the published evaluator does it with scipy.
#pragma once

#include <cstdint>
#include <vector>

#include "brainquant/model/config.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// The taps of scipy.ndimage.gaussian_filter1d (truncate 4, mode reflect) of a unit impulse in the middle of
/// smooth_kernel_size zeros; taps at or below 0.01 dropped, the rest divided by their sum. One tap of 1 when
/// smooth_data is false. Throws UsageError if the settings leave no tap.
std::vector<float> smoothing_taps(const SmoothingConfig& config);

/// log.warning if the model was trained on features that were not smoothed: such a model is run as it was trained,
/// while the public evaluator smooths whatever args.yaml says. To be called when a model is opened to be run.
void warn_if_unsmoothed(const DecoderConfig& config, const RunContext& context);

/// 'valid' filtering: in [bins, features] -> out [bins - taps + 1, features], each value summed from the first tap to
/// the last in fp32, a multiplication and an addition at a time (docs/numerics.md). Returns the number of bins out: 0
/// if there are too few.
std::int64_t smooth(const float* in, std::int64_t bins, std::int64_t features, const std::vector<float>& taps,
                    std::vector<float>& out);

}  // namespace brainquant
