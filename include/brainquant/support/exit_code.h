// The exit codes of this project's programs.
#pragma once

namespace brainquant {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;        // bad input, a full disk, a server that is gone, a method that failed
inline constexpr int kExitUsage = 2;          // flags that are unknown, out of range or contradict each other
inline constexpr int kExitInterrupted = 130;  // Ctrl-C or SIGTERM; what is finished is kept

}  // namespace brainquant
