#include "reporting/page/rates.h"

#include <fmt/format.h>

#include <map>
#include <regex>

namespace brainquant {

namespace {

std::int64_t distance_of(const TrialScore& trial, RateKind kind) {
  return kind == RateKind::per ? trial.distance : trial.word_distance;
}

std::int64_t length_of(const TrialScore& trial, RateKind kind) {
  return kind == RateKind::per ? trial.true_length : trial.true_words;
}

}  // namespace

const char* title_of(RateKind kind) { return kind == RateKind::per ? "PER" : "WER"; }

const char* id_of(RateKind kind) { return kind == RateKind::per ? "per" : "wer"; }

bool has_rate(const EvaluationSummary& evaluation, RateKind kind) {
  return (kind == RateKind::per ? evaluation.per : evaluation.wer).has_value();
}

bool GroupRate::differs() const {
  return trials >= kEnoughTrials && difference && (difference->low > 0 || difference->high < 0);
}

std::vector<GroupRate> rates_by(Grouping grouping, RateKind kind, const EvaluationSummary& evaluation,
                                const EvaluationSummary* baseline) {
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < evaluation.trials.size(); ++i) {
    const TrialScore& trial = evaluation.trials[i];
    groups[grouping == Grouping::session ? trial.session() : trial.corpus].push_back(i);
  }
  std::vector<GroupRate> rates;
  for (const auto& [name, members] : groups) {
    std::vector<PairedCounts> alone;  // against a decoding without errors, whose difference is the rate
    std::vector<PairedCounts> paired;
    std::int64_t length = 0;
    for (const std::size_t i : members) {
      const TrialScore& trial = evaluation.trials[i];
      alone.push_back({0, distance_of(trial, kind), length_of(trial, kind)});
      length += alone.back().length;
      if (baseline != nullptr) {
        paired.push_back({distance_of(baseline->trials[i], kind), alone.back().distance_b, alone.back().length});
      }
    }
    if (length == 0) continue;
    const RateDifference rate = paired_bootstrap(alone);
    GroupRate group{name, static_cast<std::int64_t>(members.size()), rate.difference, {rate.low, rate.high}, {}};
    if (baseline != nullptr) group.difference = paired_bootstrap(paired);
    rates.push_back(std::move(group));
  }
  return rates;
}

std::string rate_text(double rate, const Interval& interval) {
  return fmt::format("{:.2f} [{:.2f}, {:.2f}]", rate, interval.low, interval.high);
}

std::string date_of_session(const std::string& session) {
  static const std::regex date("(\\d{4})\\.(0[1-9]|1[0-2])\\.(0[1-9]|[12]\\d|3[01])");
  std::smatch found;
  if (!std::regex_search(session, found, date)) return "";
  return fmt::format("{}-{}-{}", found.str(1), found.str(2), found.str(3));
}

std::vector<MethodRates> rates_of(const Comparison& comparison, RateKind kind) {
  std::vector<MethodRates> rates;
  const MethodOutcome& first = comparison.methods.front().outcome;
  const EvaluationSummary* baseline = first.succeeded && has_rate(first.evaluation, kind) ? &first.evaluation : nullptr;
  if (baseline == nullptr) return rates;
  for (const ComparedMethod& method : comparison.methods) {
    const EvaluationSummary& evaluation = method.outcome.evaluation;
    if (!method.outcome.succeeded || !has_rate(evaluation, kind)) continue;
    const EvaluationSummary* against = &evaluation == baseline ? nullptr : baseline;
    rates.push_back({method.outcome.name, kind, rates_by(Grouping::session, kind, evaluation, against),
                     rates_by(Grouping::corpus, kind, evaluation, against)});
  }
  return rates;
}

}  // namespace brainquant
