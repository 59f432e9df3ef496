// The embedded language model's scales, found on trials of the train split.
#pragma once

#include <cstdint>

#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/runtime/engine.h"
#include "brainquant/support/run_context.h"
#include "model/dataset.h"

namespace brainquant {

struct TuningSettings {
  std::int64_t trials = 1;  // chosen as choose_calibration_trials() does; all that there are if fewer, and said so
  std::int64_t batch_size = 8;
  int threads = 1;
};

/// Decodes the trials once and makes their sentences with every pair of a grid, at the language model's other options.
/// From its own pair (a, b): first a times 0.5, 0.7, 1, 1.4 and 2 with b times 0.1, 0.3, 1, 3 and 10; then, around the
/// best of these, a times 0.85, 1 and 1.2 with b times 0.6, 1 and 1.7; all rounded to four digits. Throws WorkError (no
/// word in these trials to be wrong), and what decoding throws.
LmTuning tune_language_model(const WfstLanguageModel& language_model, Engine& engine, Dataset& train,
                             const TuningSettings& settings, const RunContext& context = {});

/// Of what was tried, the pair with the fewest wrong words; of equals the nearest to `start` (|log2| of the acoustic
/// scales' ratio plus |log10| of the penalties'), then the first.
LmScales best_scales(const LmTuning& tuning, const LmScales& start);

}  // namespace brainquant
