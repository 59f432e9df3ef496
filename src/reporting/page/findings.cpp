#include "reporting/page/findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "reporting/changes_report.h"
#include "reporting/interval_text.h"
#include "reporting/metrics.h"

namespace brainquant {

namespace {

constexpr std::size_t kConfusionsNamed = 3;
constexpr double kSameSize = 1.01;  // sizes that differ by less count as equal

const char* plural(std::int64_t count) { return count == 1 ? "" : "s"; }

std::int64_t bytes_of(const ComparedMethod& method) { return method.outcome.evaluation.model.bytes; }

// The upper end of the wider of both intervals, as the verdict goes by.
double highest(const RateDifference& difference) {
  const auto& sessions = difference.over_sessions;
  return sessions ? std::max(difference.high, sessions->high) : difference.high;
}

std::string method_text(const ComparedMethod& method) {
  const ModelFacts& model = method.outcome.evaluation.model;
  std::string text = fmt::format("{} ({:.1f} MB, {:.2f} times smaller than fp32): PER {} points", method.outcome.name,
                                 static_cast<double>(model.bytes) / kBytesPerMegabyte, model.compression(),
                                 interval_text(method.per_difference));
  if (method.wer_difference) {
    text += fmt::format(", WER {} points ({})", interval_text(method.wer_difference),
                        verdict_text(verdict_of(*method.wer_difference), method.outcome.evaluation.trials.size()));
  }
  return text;
}

// Of methods of the same size, the one whose interval reaches least far.
const ComparedMethod* smallest_that_keeps(const Comparison& comparison) {
  const ComparedMethod* best = nullptr;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.per_difference || method.per_difference->difference > kKeptPoints) continue;
    if (best == nullptr) {
      best = &method;
      continue;
    }
    const double ratio = static_cast<double>(bytes_of(method)) / static_cast<double>(bytes_of(*best));
    const bool same = ratio < kSameSize && ratio > 1 / kSameSize;
    if (same ? highest(*method.per_difference) < highest(*best->per_difference) : ratio < 1) best = &method;
  }
  return best;
}

std::optional<Finding> smallest(const Comparison& comparison) {
  const ComparedMethod* nearest = nullptr;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.per_difference) continue;
    if (nearest == nullptr || method.per_difference->difference < nearest->per_difference->difference) {
      nearest = &method;
    }
  }
  if (nearest == nullptr) return {};
  const std::string question =
      fmt::format("Which method is smallest with a PER within {:g} points of fp32's?", kKeptPoints);
  const ComparedMethod* const best = smallest_that_keeps(comparison);
  if (best == nullptr) return Finding{question, {"None. Nearest comes " + method_text(*nearest) + "."}};
  const bool sure = highest(*best->per_difference) <= kKeptPoints;
  return Finding{question,
                 {method_text(*best) + ".", sure ? "All of the 95 % interval of the PER is within."
                                                 : "The 95 % interval of the PER goes beyond: more trials would be "
                                                   "needed to be sure."}};
}

std::optional<Finding> worst_session(const std::vector<MethodRates>& rates) {
  const GroupRate* worst = nullptr;
  const MethodRates* of = nullptr;
  std::int64_t judged = 0;
  std::int64_t worse = 0;
  for (const MethodRates& method : rates) {
    for (const GroupRate& session : method.sessions) {
      if (!session.difference) continue;
      if (session.trials >= kEnoughTrials) {
        ++judged;
        if (session.difference->low > 0) ++worse;
      }
      if (worst == nullptr || session.difference->difference > worst->difference->difference) {
        worst = &session;
        of = &method;
      }
    }
  }
  if (worst == nullptr) return {};
  const std::string question = "Which session got worse?";
  if (worst->difference->difference <= 0)
    return Finding{question, {"None: no method has a higher PER in any session."}};
  const std::string most =
      fmt::format("Most of all {} with {}: PER {:.2f} % instead of {:.2f} %, {} points ({} trial{}).", worst->group,
                  of->method, worst->rate, worst->rate - worst->difference->difference,
                  interval_text(worst->difference), worst->trials, plural(worst->trials));
  if (judged == 0) {
    return Finding{
        question,
        {most, fmt::format("No session has the {} trials from which on its interval says much.", kEnoughTrials)}};
  }
  return Finding{question,
                 {most, fmt::format("Of {} case{} of a session with a method and at least {} trials, {} {} worse by an "
                                    "interval that excludes 0; chance alone makes up to one in forty so.",
                                    judged, plural(judged), kEnoughTrials, worse, worse == 1 ? "is" : "are")}};
}

// What fp32 had right and the method has wrong, the most frequent first.
std::string confusions_of(const MethodChanges& changes) {
  std::vector<std::pair<std::int64_t, std::string>> added;
  for (const auto& [phonemes, counts] : changes.phonemes) {
    if (counts.added > 0) added.emplace_back(counts.added, change_text(phonemes.first, phonemes.second));
  }
  std::stable_sort(added.begin(), added.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> named;
  for (std::size_t i = 0; i < std::min(added.size(), kConfusionsNamed); ++i) {
    named.push_back(fmt::format("{} ({})", added[i].second, added[i].first));
  }
  if (named.empty()) return "none";
  const std::size_t more = added.size() - named.size();
  return fmt::format("{}{}", fmt::join(named, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

std::optional<Finding> confusions(const Comparison& comparison) {
  Finding finding{"Which phonemes are confused more than by fp32?",
                  {"What fp32 had right > what the method makes of it, and how often; - is nothing."}};
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.changes || !method.changes->truth_known) continue;
    finding.answers.push_back(fmt::format("{}: {}", method.outcome.name, confusions_of(*method.changes)));
  }
  if (finding.answers.size() == 1) return {};
  return finding;
}

std::optional<Finding> late_steps(const Comparison& comparison) {
  std::int64_t steps = 0;
  std::int64_t late = 0;
  double budget = 0;
  const MethodOutcome* slowest = nullptr;
  for (const ComparedMethod& method : comparison.methods) {
    const std::optional<StepReport>& step = method.outcome.evaluation.step;
    if (!method.outcome.succeeded || !step || !step->late) continue;
    steps += step->work.count;
    late += *step->late;
    budget = step->budget_ms;
    if (slowest == nullptr || step->work.max_ms > slowest->evaluation.step->work.max_ms) slowest = &method.outcome;
  }
  if (slowest == nullptr) return {};
  return Finding{"Is a step ever late?",
                 {fmt::format("{} of {} timed steps took longer than {:g} ms. The slowest took {:.3g} ms ({}).",
                              late == 0 ? std::string("No: none") : fmt::format("Yes: {}", late), steps, budget,
                              slowest->evaluation.step->work.max_ms, slowest->name)}};
}

std::optional<Finding> sentences(const Comparison& comparison) {
  std::vector<std::string> parts;
  std::int64_t trials = 0;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.changes || !method.changes->words_differ) continue;
    trials = method.changes->trials;
    parts.push_back(fmt::format("{} {}", method.outcome.name, *method.changes->words_differ));
  }
  if (parts.empty()) return {};
  return Finding{"How many sentences changed?",
                 {fmt::format("Of {} sentence{}: {}.", trials, plural(trials), fmt::join(parts, ", "))}};
}

std::optional<Finding> failures(const Comparison& comparison) {
  std::vector<std::string> parts;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.outcome.succeeded) parts.push_back(method.outcome.name + ": " + method.outcome.problem);
  }
  if (parts.empty()) return {};
  if (!comparison.methods.front().outcome.succeeded) parts.emplace_back("Nothing could be compared with it.");
  return Finding{"What failed?", parts};
}

std::optional<Finding> disagreements(const Comparison& comparison) {
  std::vector<std::string> parts;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.per_and_wer_disagree()) continue;
    parts.push_back(fmt::format("{} (PER {:+.2f}, WER {:+.2f} points)", method.outcome.name,
                                method.per_difference->difference, method.wer_difference->difference));
  }
  if (parts.empty()) return {};
  return Finding{"Do PER and WER disagree?",
                 {fmt::format("Yes, clearly: {}. Judge by the sentences.", fmt::join(parts, ", "))}};
}

std::optional<Finding> disturbed_times(const Comparison& comparison) {
  std::vector<std::string> parts;
  for (const ComparedMethod& method : comparison.methods) {
    const double share = method.outcome.evaluation.timing.core_share;
    if (!method.outcome.succeeded || share >= kLeastCoreShare) continue;
    parts.push_back(fmt::format("{} {:.0f} %", method.outcome.name, 100 * share));
  }
  if (parts.empty()) return {};
  return Finding{"Are the times to be trusted?",
                 {fmt::format("Not quite: some are probably too long, by other work on the same cores. The decoder had "
                              "a core for itself only for part of its time: {}.",
                              fmt::join(parts, ", "))}};
}

}  // namespace

std::vector<Finding> findings_of(const Comparison& comparison, const std::vector<MethodRates>& rates) {
  std::vector<Finding> findings;
  const auto add = [&](std::optional<Finding> finding) {
    if (finding) findings.push_back(std::move(*finding));
  };
  add(failures(comparison));
  add(disagreements(comparison));
  add(smallest(comparison));
  add(worst_session(rates));
  add(confusions(comparison));
  add(sentences(comparison));
  add(late_steps(comparison));
  add(disturbed_times(comparison));
  return findings;
}

}  // namespace brainquant
