// On what a result was measured.
#pragma once

#include <cstdint>
#include <string>

namespace brainquant {

struct MachineFacts {
  std::string cpu;  // "AMD EPYC 9R14", as /proc/cpuinfo names it; "unknown" where it doesn't
  int cores = 0;    // that this process may use
  std::string libtorch_version;
};
MachineFacts machine_facts();

/// The most memory that this process has had resident so far, in bytes (VmHWM); 0 where the system doesn't say.
std::int64_t peak_memory_bytes();

}  // namespace brainquant
