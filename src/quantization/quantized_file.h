// A quantized model on disk (docs/file-format.md): a zip that torch.load(path, weights_only=True) opens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "brainquant/quantization/tensor_report.h"
#include "brainquant/support/run_context.h"
#include "quantization/quantized_model.h"

namespace brainquant {

inline constexpr int kQuantizedFileVersion = 2;

/// Writes atomically; the same model gives the same bytes. Throws FileError.
void save_quantized_model(const QuantizedModel& model, const std::filesystem::path& path);

/// Verifies every checksum, shape and number format. Throws FileError, FormatError naming file and field.
QuantizedModel load_quantized_model(const std::filesystem::path& path, const RunContext& context = {});

/// A model, and the facts of the very file that it was read from.
struct LoadedQuantizedFile {
  QuantizedModel model;
  int format_version = 0;
  std::string sha256;  // of the file's bytes
  std::int64_t bytes = 0;
};
/// load_quantized_model, and throws FileError if the file is written to meanwhile. One that takes its place does not
/// matter.
LoadedQuantizedFile load_quantized_file(const std::filesystem::path& path, const RunContext& context = {});

/// The head of a quantized file without its tensors: enough to tell what made it.
struct QuantizedFileHead {
  int format_version = 0;
  DecoderConfig config;
  std::vector<std::string> classes;  // class_names(); none in files of version 1
  QuantizationOptions options;
  Provenance provenance;
};
QuantizedFileHead read_quantized_head(const std::filesystem::path& path);

/// What save_quantized_model would write, in its order.
std::vector<StoredTensor> stored_tensors(const QuantizedModel& model);

}  // namespace brainquant
