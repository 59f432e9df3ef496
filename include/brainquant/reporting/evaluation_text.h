// One evaluation for a terminal.
#pragma once

#include <string>

#include "brainquant/evaluation/evaluation_summary.h"

namespace brainquant {

/// Error rates in total, by corpus and by session; times; what ran where.
std::string evaluation_text(const EvaluationSummary& summary);

}  // namespace brainquant
