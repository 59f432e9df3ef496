// A quantized model on disk (docs/file-format.md): a zip that torch.load(path, weights_only=True) opens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "brainquant/quantization/tensor_report.h"
#include "brainquant/support/run_context.h"
#include "quantization/quantized_model.h"
#include "quantization/weight_source.h"

namespace brainquant {

inline constexpr int kQuantizedFileVersion = 2;

/// Writes atomically; the same model gives the same bytes. Throws FileError.
void save_quantized_model(const QuantizedModel& model, const std::filesystem::path& path);

/// A quantized file that is open: its weight matrices are read when they are asked for. Reading verifies checksums,
/// shapes and number formats and throws FormatError naming file and field.
class QuantizedFileReader final : public WeightSource {
 public:
  /// Reads everything but the weight matrices. Throws FileError, FormatError.
  explicit QuantizedFileReader(const std::filesystem::path& path, const RunContext& context = {});
  ~QuantizedFileReader() override;

  int format_version() const;
  /// The model, with empty weight matrices. Day layers left in fp32 are there.
  const QuantizedModel& model() const;
  /// QuantizedModel::weight_formats() of the whole model.
  std::vector<WeightFormat> weight_formats() const;
  void with_weight(const WeightId& id, const std::function<void(const WeightMatrix&)>& use) const override;
  /// The whole model. Throws Interrupted if `context` is cancelled.
  QuantizedModel read_all(const RunContext& context) const;

  /// Refuses a file that has more tensors than have been read. To be called when each matrix has been read once.
  void require_all_read() const;
  /// Of the file that is open, whatever lies at its path by now.
  std::string file_sha256() const;
  std::int64_t file_bytes() const;
  /// Throws FileError if the file was written to since it was opened.
  void require_unchanged() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

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
