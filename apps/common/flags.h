// Flags of the library's options (support/option_list.h).
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "brainquant/support/option_list.h"

namespace brainquant::app {

/// A flag for each option, with its help, choices and default. Parsing throws the library's UsageError for a value that
/// an option can't take.
void add_flags(CLI::App& parser, const OptionList& options);

/// Where `flag` is given, the options that the program otherwise needs are not needed.
void needs_no_other(CLI::App& parser, const std::string& flag);
/// Throws UsageError naming an option that was given besides `allowed` and those that all programs have.
void refuse_others(const CLI::App& parser, const std::vector<std::string>& allowed);

}  // namespace brainquant::app
