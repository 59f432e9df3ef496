// What an earlier run left for one method: whose it is, what decided it, and whether its files are as they were left.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "brainquant/support/run_key.h"

namespace brainquant {

/// The record of one method's results: a JSON file that is written when work on them begins and again when it is
/// finished.
struct FinishedWork {
  std::string model_path;                    // of the checkpoint; relative to the output folder if it lies below it
  std::optional<RunKey> key;                 // none: the run did not get to its end
  std::map<std::string, std::string> files;  // SHA-256 by path, relative to the output folder
  std::int64_t quantize_peak_memory_bytes = 0;
  double quantize_seconds = 0;
};

/// How FinishedWork names the checkpoint folder: so that a study that was moved as a whole keeps its results.
std::string recorded_model_path(const std::filesystem::path& model, const std::filesystem::path& output_dir);

/// Nothing if there is no such file, or none that this version can read.
std::optional<FinishedWork> read_finished_work(const std::filesystem::path& path);
/// Atomically. Throws FileError.
void write_finished_work(const FinishedWork& work, const std::filesystem::path& path);

}  // namespace brainquant
