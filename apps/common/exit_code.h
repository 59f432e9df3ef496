// The exit codes of this project's programs.
#pragma once

namespace brainquant {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;        // bad input, a full disk, a server that is gone, a method that failed
inline constexpr int kExitUsage = 2;          // flags that are unknown, out of range or contradict each other
inline constexpr int kExitInterrupted = 130;  // Ctrl-C; what is finished is kept
/// Of a program that a signal made end in order: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP.
constexpr int exit_code_of_signal(int signal) { return 128 + signal; }

}  // namespace brainquant
