// Error rates of groups of trials, with their intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/experiment/comparison.h"
#include "brainquant/scoring/bootstrap.h"

namespace brainquant {

enum class RateKind { per, wer };
const char* title_of(RateKind kind);  // "PER", "WER"
const char* id_of(RateKind kind);     // "per", "wer"

/// True if the evaluation has that rate: PER needs the truth, WER words as well.
bool has_rate(const EvaluationSummary& evaluation, RateKind kind);

enum class Grouping { session, corpus };

/// From so many trials on, the interval of one session's difference says something of itself: of fewer, single trials
/// decide it, and it excludes 0 far more often than once in twenty.
inline constexpr std::int64_t kEnoughTrials = 20;

/// One group's rate in per cent with its 95 % interval, and its difference from the baseline's in points.
struct GroupRate {
  std::string group;
  std::int64_t trials = 0;
  double rate = 0;
  Interval interval;                         // of the rate: percentile bootstrap over the group's trials
  std::optional<RateDifference> difference;  // over the same trials, without an interval over sessions

  /// The interval of the difference excludes 0, and there are kEnoughTrials.
  bool differs() const;
};

/// Of each group that has a true phoneme (or word), in the order of their names. `baseline` has the same trials in the
/// same order; null: no differences.
std::vector<GroupRate> rates_by(Grouping grouping, RateKind kind, const EvaluationSummary& evaluation,
                                const EvaluationSummary* baseline);

/// "10.23 [8.10, 12.51]".
std::string rate_text(double rate, const Interval& interval);

/// "2023-08-11" of a session whose name has such a date ("t15.2023.08.11"); "" of another one.
std::string date_of_session(const std::string& session);

/// A method's rates by session and by corpus.
struct MethodRates {
  std::string method;
  RateKind kind = RateKind::per;
  std::vector<GroupRate> sessions;
  std::vector<GroupRate> corpora;
};

/// Of every method that succeeded and has the rate, the baseline first. 10,000 resamples for each group: a second for a
/// whole data set.
std::vector<MethodRates> rates_of(const Comparison& comparison, RateKind kind);

}  // namespace brainquant
