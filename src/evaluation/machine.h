// On what a result was measured.
#pragma once

#include <cstdint>

#include "brainquant/evaluation/evaluation_summary.h"

namespace brainquant {

MachineFacts machine_facts();

/// The most memory that this process has had resident so far, in bytes (VmHWM); 0 where the system doesn't say.
std::int64_t peak_memory_bytes();

}  // namespace brainquant
