#include "reporting/page/findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "reporting/interval_text.h"

namespace brainquant {

namespace {

constexpr std::size_t kConfusionsNamed = 3;
constexpr double kBytesPerMegabyte = 1e6;

const char* plural(std::int64_t count) { return count == 1 ? "" : "s"; }

std::string size_text(const MethodOutcome& outcome) {
  const ModelFacts& model = outcome.evaluation.model;
  return fmt::format("{:.1f} MB, {:.2f} times smaller than fp32", static_cast<double>(model.bytes) / kBytesPerMegabyte,
                     model.compression());
}

std::optional<Finding> smallest(const Comparison& comparison) {
  const ComparedMethod* best = nullptr;
  const ComparedMethod* nearest = nullptr;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.per_difference) continue;
    const auto difference = [](const ComparedMethod& m) { return m.per_difference->difference; };
    const auto bytes = [](const ComparedMethod& m) { return m.outcome.evaluation.model.bytes; };
    if (nearest == nullptr || difference(method) < difference(*nearest)) nearest = &method;
    if (difference(method) > kKeptPoints) continue;
    if (best == nullptr || bytes(method) < bytes(*best)) best = &method;
  }
  if (nearest == nullptr) return {};
  const std::string question =
      fmt::format("Which method is smallest with a PER within {:g} points of fp32's?", kKeptPoints);
  if (best == nullptr) {
    return Finding{question, fmt::format("None. {} comes nearest: PER {} points.", nearest->outcome.name,
                                         interval_text(nearest->per_difference))};
  }
  const bool sure = best->per_difference->high <= kKeptPoints;
  return Finding{question,
                 fmt::format("{} ({}): PER {} points. {}", best->outcome.name, size_text(best->outcome),
                             interval_text(best->per_difference),
                             sure ? "All of the 95 % interval is within."
                                  : "The 95 % interval goes beyond: more trials would be needed to be sure.")};
}

std::optional<Finding> worst_session(const std::vector<MethodRates>& rates) {
  const GroupRate* worst = nullptr;
  const MethodRates* of = nullptr;
  std::int64_t compared = 0;
  std::int64_t worse = 0;
  for (const MethodRates& method : rates) {
    for (const GroupRate& session : method.sessions) {
      if (!session.difference) continue;
      ++compared;
      if (session.difference->low > 0) ++worse;
      if (worst == nullptr || session.difference->difference > worst->difference->difference) {
        worst = &session;
        of = &method;
      }
    }
  }
  if (worst == nullptr) return {};
  const std::string question = "Which session got worse?";
  if (worst->difference->difference <= 0) return Finding{question, "None: no method has a higher PER in any session."};
  return Finding{
      question,
      fmt::format("Most of all {} with {}: PER {:.2f} % instead of {:.2f} %, {} points. Of {} pairs of session "
                  "and method, {} {} worse by an interval that excludes 0; chance alone makes that about one "
                  "in forty.",
                  worst->group, of->method, worst->rate, worst->rate - worst->difference->difference,
                  interval_text(worst->difference), compared, worse, worse == 1 ? "is" : "are")};
}

// The confusions by which a method made the most errors more than before.
std::string confusions_of(const MethodChanges& changes) {
  std::vector<std::pair<std::int64_t, std::string>> added;
  for (const auto& [phonemes, counts] : changes.phonemes) {
    const std::int64_t net = counts.added - counts.removed;
    const auto text = [](const std::string& token) { return token.empty() ? std::string("-") : token; };
    if (net > 0) added.emplace_back(net, text(phonemes.first) + " > " + text(phonemes.second));
  }
  std::stable_sort(added.begin(), added.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> named;
  for (std::size_t i = 0; i < std::min(added.size(), kConfusionsNamed); ++i) {
    named.push_back(fmt::format("{} ({:+d})", added[i].second, added[i].first));
  }
  if (named.empty()) return "none";
  const std::size_t more = added.size() - named.size();
  return fmt::format("{}{}", fmt::join(named, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

std::optional<Finding> confusions(const Comparison& comparison) {
  std::vector<std::string> parts;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.changes || !method.changes->truth_known) continue;
    parts.push_back(fmt::format("{}: {}", method.outcome.name, confusions_of(*method.changes)));
  }
  if (parts.empty()) return {};
  return Finding{"Which phonemes are confused more than by fp32?",
                 fmt::format("{}. In brackets: errors added less errors removed.", fmt::join(parts, "; "))};
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
                 fmt::format("{} of {} timed steps took longer than {:g} ms. The slowest took {:.3g} ms ({}).",
                             late == 0 ? std::string("No: none") : fmt::format("Yes: {}", late), steps, budget,
                             slowest->evaluation.step->work.max_ms, slowest->name)};
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
                 fmt::format("Of {} sentence{}: {}.", trials, plural(trials), fmt::join(parts, ", "))};
}

std::optional<Finding> failures(const Comparison& comparison) {
  std::vector<std::string> parts;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.outcome.succeeded) parts.push_back(method.outcome.name + ": " + method.outcome.problem);
  }
  if (parts.empty()) return {};
  return Finding{"What failed?", fmt::format("{}", fmt::join(parts, "; "))};
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
                 fmt::format("Yes, clearly: {}. Judge by the sentences.", fmt::join(parts, ", "))};
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
                 fmt::format("Not quite: other work on the same cores made some too long. The decoder had a core for "
                             "itself only for part of its time: {}.",
                             fmt::join(parts, ", "))};
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
