#include "common/flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "common/help.h"

namespace brainquant::app {

namespace {

CLI::Option* add_flag(CLI::App& parser, const Option& option) {
  const std::string flag = "--" + option.name;
  if (option.is_switch()) {
    return parser.add_flag_callback(
        flag, [set = option.set] { set("true"); }, option.help);
  }
  if (option.takes_several) {
    const auto set = [set = option.set, alone = option.value_alone](const std::vector<std::string>& values) {
      const std::string text = fmt::format("{}", fmt::join(values, ","));
      set(text.empty() ? alone : text);
    };
    CLI::Option* added = parser.add_option_function<std::vector<std::string>>(flag, set, option.help)->delimiter(',');
    return option.value_alone.empty() ? added : added->expected(0, -1);
  }
  return parser.add_option_function<std::string>(flag, option.set, option.help);
}

}  // namespace

void add_flags(CLI::App& parser, const OptionList& options) {
  for (const Option& option : options.options()) {
    CLI::Option* added = add_flag(parser, option)->group(group_of(option.name));
    if (option.required) added->required();
    if (option.is_switch()) continue;
    added->type_name(option.type);
    if (!option.choices.empty()) added->check(CLI::IsMember(option.choices));
    const std::string by_default = text_of(option.default_value);
    if (!by_default.empty()) added->default_str(by_default);
  }
}

void needs_no_other(CLI::App& parser, const std::string& flag) {
  // CLI11 looks at values before it looks for what is missing.
  parser.get_option(flag)->each([&parser](const std::string&) {
    for (CLI::Option* option : parser.get_options()) option->required(false);
  });
}

void refuse_others(const CLI::App& parser, const std::vector<std::string>& allowed) {
  const std::vector<std::string> everywhere = {"--quiet", "--verbose"};
  const auto contains = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const CLI::Option* option : parser.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || contains(everywhere, name) || contains(allowed, name)) continue;
    throw UsageError(fmt::format("{} cannot be given with {}", name, allowed.front()));
  }
}

}  // namespace brainquant::app
