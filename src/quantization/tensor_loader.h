// The tensors of a quantized file.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/torch_archive.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// Reads each tensor by its name, compares it with the shape and type asked for and with its checksum, and counts it.
/// Functions throw FormatError naming file and field. Several threads may read at once.
class TensorLoader {
 public:
  using Shape = std::vector<std::int64_t>;

  /// Files of version 1 don't say each tensor's format: there, weights have the one of options.dtype. `archive` must
  /// outlive this.
  TensorLoader(const TorchArchiveReader& archive, int format_version, const QuantizationOptions& options);

  /// A weight matrix in the format that the file says it has.
  WeightMatrix weight(const std::string& name, const WeightShape& shape);
  WeightFormat format_of_weight(const std::string& name) const;

  /// Refuses NaN, infinity and magnitudes above kLargestMagnitude. `why` says what a wrong shape contradicts.
  std::vector<float> float32(const std::string& name, const Shape& shape, const std::string& why = "");
  // The values of a weight matrix, whatever they are; its codec checks them.
  std::vector<std::uint16_t> float16_bits(const std::string& name, const Shape& shape);
  std::vector<std::int8_t> int8(const std::string& name, const Shape& shape);
  /// Of int4 matrices.
  std::vector<std::uint8_t> nibbles(const std::string& name, const Shape& shape);

  [[noreturn]] void fail(const std::string& name, const std::string& message) const;
  /// Refuses a file that has more than what was read.
  void require_all_taken() const;

 private:
  PickleField take(const std::string& name, const Shape& shape, TensorType type, const std::string& why = "");
  template <typename T>
  std::vector<T> verified(const std::string& name, std::vector<T> values) const;
  void require_format(const std::string& name, WeightFormat format, const char* stored_as) const;
  void require_count(const PickleField& dict, std::string_view what) const;

  const TorchArchiveReader& archive_;
  QuantizationOptions options_;
  PickleField tensors_;
  PickleField checksums_;
  std::optional<PickleField> formats_;  // not in version 1
  std::atomic<std::size_t> taken_ = 0;
};

}  // namespace brainquant
