// A search for bits as text for a terminal.
#pragma once

#include <string>

#include "brainquant/experiment/bits_budget.h"

namespace brainquant {

/// What each matrix costs, what was tried, what was taken, and how sure that is.
std::string bits_budget_text(const BitsChoice& choice);

}  // namespace brainquant
