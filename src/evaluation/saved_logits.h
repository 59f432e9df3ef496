// The logits of a finished evaluation as a file for others (io/hdf5_logits.h, io/npz_writer.h).
#pragma once

#include <filesystem>

#include "brainquant/support/run_context.h"
#include "evaluation/journal.h"

namespace brainquant {

/// Writes all trials' logits; the file gets its name when it is complete. A name that ends in .npz makes an NPZ file:
/// arr_0, arr_1, ... in the trials' order and trials.json with their labels; any other name makes an HDF5 file. Throws
/// FileError, Interrupted.
void save_logits(const Journal& journal, const std::filesystem::path& path, const RunContext& context);

}  // namespace brainquant
