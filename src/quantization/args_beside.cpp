#include "quantization/args_beside.h"

#include <fmt/format.h>

#include "brainquant/support/error.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostYamlBytes = std::size_t{64} << 20;

}  // namespace

void refuse_to_overwrite_source(const fs::path& output, const Checkpoint& checkpoint) {
  if (output.filename() == kArgsFileName) {
    throw UsageError(fmt::format("--output_path {}: args.yaml is the name of what goes beside it", output.string()));
  }
  std::error_code ignored;
  for (const fs::path& source : {checkpoint.weights_path, checkpoint.args_path}) {
    if (fs::equivalent(output, source, ignored)) {
      throw UsageError(fmt::format("--output_path {} is the checkpoint itself", output.string()));
    }
  }
}

fs::path args_path_of(const fs::path& output) { return output.parent_path() / kArgsFileName; }

void save_args_yaml(const fs::path& output, const std::string& text, bool force) {
  const fs::path path = args_path_of(output);
  std::error_code ignored;
  if (fs::exists(path, ignored) && !force && read_file(path, kMostYamlBytes) != text) {
    throw FileError(path.string(), "another model's args.yaml already exists; --force replaces it");
  }
  write_file_atomically(path, text);
}

}  // namespace brainquant
