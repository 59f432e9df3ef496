// The args.yaml that lies beside a quantized file, for people.
#pragma once

#include <filesystem>
#include <string>

#include "model/checkpoint.h"

namespace brainquant {

/// Throws UsageError if a model at `output` would take the place of the checkpoint that it is made of, or of the
/// args.yaml beside it.
void refuse_to_overwrite_source(const std::filesystem::path& output, const Checkpoint& checkpoint);

std::filesystem::path args_path_of(const std::filesystem::path& output);
/// Throws FileError if another model's args.yaml lies there and `force` is not set.
void save_args_yaml(const std::filesystem::path& output, const std::string& text, bool force);

}  // namespace brainquant
