// A trained model as the training run left it: MODEL/checkpoint/args.yaml and MODEL/checkpoint/best_checkpoint.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "brainquant/model/config.h"
#include "brainquant/support/run_context.h"
#include "model/decoder_weights.h"

namespace brainquant {

struct Checkpoint {
  std::filesystem::path args_path;
  std::filesystem::path weights_path;
  std::string args_yaml;    // args.yaml's text, to be saved beside a quantized model
  std::string args_sha256;  // of args.yaml's bytes
  std::string sha256;       // of best_checkpoint's bytes
  DecoderConfig config;
  DecoderWeights weights;
  std::optional<double> val_per;  // what the training run measured, a fraction (0.1 is 10 %)
};

inline constexpr const char* kCheckpointFileName = "best_checkpoint";
/// Beside best_checkpoint, and beside a quantized model.
inline constexpr const char* kArgsFileName = "args.yaml";

/// True if `path` is a folder that holds checkpoint/best_checkpoint or best_checkpoint.
bool is_checkpoint_folder(const std::filesystem::path& path);
/// Throws FileError, which says what `path` is instead.
void require_checkpoint_folder(const std::filesystem::path& path);

/// What a checkpoint's args.yaml says.
struct CheckpointArgs {
  std::filesystem::path path;
  std::string text;
  std::string sha256;  // of the text
  DecoderConfig config;
};

/// Reads args.yaml alone. `folder` as in load_checkpoint, whose errors it throws.
CheckpointArgs read_checkpoint_args(const std::filesystem::path& folder);

/// SHA-256 of the checkpoint's weights file without reading the model. `folder` as in load_checkpoint.
std::string checkpoint_sha256(const std::filesystem::path& folder);

/// Reads the model; the optimizer's tensors are never read. `folder` is MODEL or MODEL/checkpoint.
/// Both hashes are of the very bytes that were read. Throws FileError (a missing file, one that is written to
/// meanwhile), FormatError (naming the file and the key or tensor: missing, extra, wrongly shaped, not finite or beyond
/// kLargestMagnitude, damaged).
Checkpoint load_checkpoint(const std::filesystem::path& folder, const RunContext& context = {});

/// A tensor of the model as a checkpoint's weights file holds it.
struct StoredParameter {
  std::string name;   // without what wrappers put into it
  std::string dtype;  // "float32"
  std::vector<std::int64_t> shape;
  std::int64_t bytes = 0;  // of its elements
};
/// In the file's order. Throws FileError, FormatError.
std::vector<StoredParameter> stored_parameters(const std::filesystem::path& weights_path);

/// The decoder's configuration from args.yaml's text; `path` is for messages. Throws FormatError naming the key.
DecoderConfig parse_args_yaml(const std::string& text, const std::string& path);

}  // namespace brainquant
