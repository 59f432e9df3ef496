// One evaluation for a terminal.
#pragma once

#include <string>

#include "brainquant/evaluation/evaluation_summary.h"

namespace brainquant {

/// A line with the trial's label and two with its true and predicted words, one below the other; words that differ in
/// capitals, a row of asterisks where there is none.
std::string example_text(const SentenceExample& example);

/// What the training run measured (ModelFacts::val_per), and how far it can be compared.
std::string training_per_text(double val_per);

/// Error rates in total, by corpus and by session; a few sentences that went wrong; times; what ran where.
std::string evaluation_text(const EvaluationSummary& summary);

}  // namespace brainquant
