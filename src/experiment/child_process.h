// Other programs as measured steps of the work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "brainquant/support/run_context.h"

namespace brainquant {

/// The environment variable that names the file to which a failing program of this project writes its error, without
/// "error: ", for the program that started it.
inline constexpr const char* kErrorFileVariable = "BRAINQUANT_ERROR_FILE";

struct ChildProcess {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::filesystem::path log;        // gets its stdout and stderr, appended
  std::vector<int> inherited = {};  // descriptors that stay open in it, such as a RunLock's
};

struct ChildResult {
  int exit_code = 0;                   // 128 + signal if a signal ended it
  std::string error;                   // what it handed over through kErrorFileVariable; "" if nothing
  std::int64_t peak_memory_bytes = 0;  // the kernel's account of its resident memory
  double seconds = 0;
};

/// Runs a program and waits for it; the progress that it hands over goes to `context`. It ends with this process,
/// however this one ends (SIGTERM, by the kernel). Cancelling passes SIGINT on, waits for the program to end (10 s,
/// then SIGKILL) and throws Interrupted. Throws FileError if the log can't be opened, WorkError if the program can't be
/// started. To be called on the main thread: the kernel counts the end of the thread that started a program as the end
/// of its parent.
ChildResult run_child(const ChildProcess& child, const RunContext& context = {});

}  // namespace brainquant
