#include "common/flag_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "brainquant/scoring/error_rate.h"
#include "brainquant/support/error.h"

namespace brainquant::app {

namespace {

std::vector<int> letters_of(const std::string& text) { return {text.begin(), text.end()}; }

/// Of `known`, the one that takes the fewest edits; "" if that is more than a third of its letters.
std::string nearest(const std::string& name, const std::vector<std::string>& known) {
  std::string best;
  std::int64_t least = 0;
  for (const std::string& candidate : known) {
    const std::int64_t distance = edit_counts(letters_of(candidate), letters_of(name)).distance();
    if (3 * distance > static_cast<std::int64_t>(candidate.size())) continue;
    if (best.empty() || distance < least) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}

}  // namespace

std::vector<std::string> with_known_flags(const CLI::App& parser, std::vector<std::string> arguments) {
  std::vector<std::string> known;
  for (const CLI::Option* option : parser.get_options()) {
    known.insert(known.end(), option->get_lnames().begin(), option->get_lnames().end());
  }
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const std::size_t end = std::min(argument.find('='), argument.size());
    std::string name = argument.substr(2, end - 2);
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::replace(name.begin(), name.end(), '-', '_');
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string meant = nearest(name, known);
      throw UsageError(fmt::format("--{}: no such flag; {}", argument.substr(2, end - 2),
                                   meant.empty() ? "--help lists them all" : "did you mean --" + meant + "?"));
    }
    argument.replace(2, end - 2, name);
  }
  return arguments;
}

}  // namespace brainquant::app
