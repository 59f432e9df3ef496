// What the machine can do at most, to judge the engine by: products a second in registers, bytes a second of reading.
#pragma once

#include <cstdint>

#include "runtime/kernels/kernel.h"
#include "runtime/thread_team.h"

namespace brainquant::benchmarks {

/// Multiply-and-adds a second that one thread reaches with the kernel's exact INT8 product when nothing leaves the
/// registers; the best of several stretches. 0 for kernels without a product instruction (portable).
double peak_macs_per_second(const Kernel& kernel);

/// Reads `bytes` (a multiple of 256) from end to end, and does nothing else.
void read_bytes(const void* memory, std::int64_t bytes);

/// Seconds of one reading of `bytes` at `memory` by all members, each its own part, `times` times without waiting for
/// the others.
double seconds_to_read(ThreadTeam& team, const void* memory, std::int64_t bytes, int times);

}  // namespace brainquant::benchmarks
