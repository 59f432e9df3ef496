// Some trials of a data set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/dataset.h"

namespace brainquant {

/// Every trial, in the data set's order.
std::vector<std::size_t> all_trials(const Dataset& dataset);

/// `count` of the trials `from` (all of them if there are no more): as many of each session as of every other, as far
/// as it has them, and each session's evenly spaced over its trials. In the data set's order.
std::vector<std::size_t> spread_over_sessions(const Dataset& dataset, const std::vector<std::size_t>& from,
                                              std::int64_t count);

}  // namespace brainquant
