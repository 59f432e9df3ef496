// What a comparison says beside its tables.
#pragma once

#include <string>
#include <vector>

#include "brainquant/experiment/comparison.h"

namespace brainquant {

/// Trials, machine and checkpoint, and then for each method what changed, what warns, and why it failed; a line each.
std::vector<std::string> comparison_facts(const Comparison& comparison);

}  // namespace brainquant
