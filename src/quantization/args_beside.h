// The args.yaml that lies beside a quantized file, for people.
#pragma once

#include <filesystem>
#include <string>

namespace brainquant {

std::filesystem::path args_path_of(const std::filesystem::path& output);
/// Throws FileError if another model's args.yaml lies there and `force` is not set.
void save_args_yaml(const std::filesystem::path& output, const std::string& text, bool force);

}  // namespace brainquant
