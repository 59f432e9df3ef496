// Other programs as measured steps of the work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "brainquant/support/run_context.h"

namespace brainquant {

struct ChildResult {
  int exit_code = 0;                   // 128 + signal if a signal ended it
  std::int64_t peak_memory_bytes = 0;  // the kernel's account of its resident memory
  double seconds = 0;
};

/// Runs a program and waits for it; its stdout and stderr are appended to `log`. Cancelling passes SIGINT on, waits for
/// the program to end (10 s, then SIGKILL) and throws Interrupted. Throws FileError if the log can't be opened,
/// WorkError if the program can't be started.
ChildResult run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                      const std::filesystem::path& log, const RunContext& context = {});

/// An executable of this project: beside the one that is running. Throws FileError if it isn't there.
std::filesystem::path sibling_executable(const std::string& name);

}  // namespace brainquant
