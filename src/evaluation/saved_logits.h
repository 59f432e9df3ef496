// The logits of a finished evaluation as a file for others (io/hdf5_logits.h).
#pragma once

#include <filesystem>

#include "brainquant/support/run_context.h"
#include "evaluation/journal.h"

namespace brainquant {

/// Writes all trials' logits; the file gets its name when it is complete. Throws FileError, Interrupted.
void save_logits(const Journal& journal, const std::filesystem::path& path, const RunContext& context);

}  // namespace brainquant
