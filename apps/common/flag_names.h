// How flags may be spelt.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace brainquant::app {

/// The program's arguments with "--model-path" for "--model_path". Throws UsageError for a flag that the program does
/// not have, naming the nearest one.
std::vector<std::string> with_known_flags(const CLI::App& parser, std::vector<std::string> arguments);

}  // namespace brainquant::app
