// What a comparison's page says first.
#pragma once

#include <string>
#include <vector>

#include "brainquant/experiment/comparison.h"
#include "reporting/page/figures.h"

namespace brainquant {

/// A question that a reader has, and its answer; plain text.
struct Finding {
  std::string question;
  std::vector<std::string> answers;
};

/// How far a method's PER may be above fp32's to count as kept, in points.
inline constexpr double kKeptPoints = 0.1;

/// What failed and where PER and WER disagree; which method is smallest within kKeptPoints of fp32's PER, which session
/// lost most, which phonemes are confused more, how many sentences changed, whether a step was late, and whether other
/// work disturbed the times. `rates` are those by PER (none in test).
std::vector<Finding> findings_of(const Comparison& comparison, const std::vector<MethodRates>& rates);

}  // namespace brainquant
