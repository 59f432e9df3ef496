#include "quantization/args_beside.h"

#include "brainquant/support/error.h"
#include "model/checkpoint.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostYamlBytes = std::size_t{64} << 20;

}  // namespace

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
