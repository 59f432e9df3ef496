// One evaluation for a terminal.
#pragma once

#include <string>
#include <vector>

#include "brainquant/evaluation/evaluation_summary.h"

namespace brainquant {

/// A line with the trial's label and two with its true and predicted words as aligned_text().
std::string example_text(const SentenceExample& example);

/// Two sentences, one below the other and each after its name; words that differ in capitals, a row of asterisks where
/// there is none.
std::string aligned_text(const std::vector<AlignedWords>& words, const std::string& first, const std::string& second);

/// Which scales --tune_lm found; of an evaluation with `lm_tuning`.
std::string tuned_text(const EvaluationSummary& summary);

/// What the training run measured (ModelFacts::val_per), and how far it can be compared.
std::string training_per_text(double val_per);

/// Error rates in total, by corpus and by session; a few sentences that went wrong; times; what ran where.
std::string evaluation_text(const EvaluationSummary& summary);

}  // namespace brainquant
