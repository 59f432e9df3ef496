// What all programs share: logging, Ctrl-C, and one place that turns errors into exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "brainquant/support/run_context.h"

namespace brainquant::app {

class Terminal;

/// What a program runs in. What it prints while there may be progress goes through `terminal`.
struct AppContext : RunContext {
  AppContext(const RunContext& context, Terminal& t) : RunContext(context), terminal(t) {}
  Terminal& terminal;
};

/// One program: its flags, and what it does once they are parsed.
struct App {
  std::string name;
  std::string description;
  std::function<void(CLI::App&)> add_flags;
  /// Returns the exit code; throws the library's errors. Results go to stdout.
  std::function<int(const CLI::App&, const AppContext&)> run;
};

/// Parses, echoes the configuration to stderr, runs, and returns the exit code (support/exit_code.h). Errors are one
/// line on stderr.
int run_app(const App& app, int argc, char** argv);

}  // namespace brainquant::app
