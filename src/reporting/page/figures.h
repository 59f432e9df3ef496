// The plots of a comparison's page, each with the numbers behind it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "brainquant/experiment/comparison.h"
#include "brainquant/experiment/sensitivity.h"
#include "reporting/page/html.h"
#include "reporting/page/rates.h"

namespace brainquant {

/// A rate against size, time a trial and time a step, with the methods marked that no other one beats in both.
std::vector<Figure> cost_figures(const Comparison& comparison, RateKind kind);

/// How a rate goes over the sessions: where each method differs from the baseline, and each method's own course. The
/// first of `rates` is the baseline's.
std::vector<Figure> session_figures(const Comparison& comparison, const std::vector<MethodRates>& rates);

/// Nothing without corpora.
std::optional<Figure> corpus_figure(const Comparison& comparison, const std::vector<MethodRates>& rates);

/// Which phonemes became which, and the errors that were added and removed by it; nothing where no phoneme changed.
std::optional<Figure> confusions_figure(const Comparison& comparison);

/// How long steps took, against what they may take; nothing where none was timed.
std::optional<Figure> steps_figure(const Comparison& comparison);

/// How well each method's file keeps each tensor; nothing without quantized methods.
std::optional<Figure> weights_figure(const Comparison& comparison);

/// What each matrix costs that is quantized alone.
std::vector<Figure> sensitivity_figures(const Sensitivity& sensitivity);

}  // namespace brainquant
