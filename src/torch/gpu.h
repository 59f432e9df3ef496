// Which GPU is used.
#pragma once

#include "brainquant/support/run_context.h"

namespace brainquant {

/// The GPU to use: -1 (the CPU) when -1 is asked for or none is there (said in context.log). Throws UsageError for a
/// number past those there.
int resolve_gpu_number(int gpu_number, const RunContext& context);

}  // namespace brainquant
