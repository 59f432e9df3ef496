// Quantiles of a sample.
#pragma once

#include <vector>

namespace brainquant {

/// p-quantile (0..1) by linear interpolation between the two nearest of the sorted values, as numpy.quantile's default;
/// 0 of nothing.
double quantile(std::vector<double> values, double p);

}  // namespace brainquant
