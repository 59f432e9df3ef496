// Flags of the library's options (support/option_list.h).
#pragma once

#include <CLI/CLI.hpp>

#include "brainquant/support/option_list.h"

namespace brainquant::app {

/// A flag for each option, with its help, choices and default. Parsing throws the library's UsageError for a value that
/// an option can't take.
void add_flags(CLI::App& parser, const OptionList& options);

}  // namespace brainquant::app
