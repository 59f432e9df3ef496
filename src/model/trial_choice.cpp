#include "model/trial_choice.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace brainquant {

std::vector<std::size_t> all_trials(const Dataset& dataset) {
  std::vector<std::size_t> trials(dataset.size());
  std::iota(trials.begin(), trials.end(), std::size_t{0});
  return trials;
}

std::vector<std::size_t> spread_over_sessions(const Dataset& dataset, const std::vector<std::size_t>& from,
                                              std::int64_t count) {
  std::map<std::int64_t, std::vector<std::size_t>> sessions;
  for (const std::size_t trial : from) sessions[dataset.session_index(trial)].push_back(trial);
  const auto wanted = std::min(from.size(), static_cast<std::size_t>(count));
  // As many from each session as from every other, as far as it has them; what is left over goes to the first sessions.
  std::map<std::int64_t, std::size_t> take;
  for (std::size_t given = 0; given < wanted;) {
    for (const auto& [session, trials] : sessions) {
      if (given < wanted && take[session] < trials.size()) {
        ++take[session];
        ++given;
      }
    }
  }
  std::vector<std::size_t> chosen;
  for (const auto& [session, trials] : sessions) {
    const std::size_t own = take[session];
    for (std::size_t i = 0; i < own; ++i) chosen.push_back(trials[i * trials.size() / own]);
  }
  return chosen;
}

}  // namespace brainquant
