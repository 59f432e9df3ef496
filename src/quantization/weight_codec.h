// All that quantizing, reporting, reading and writing know of a number format. Each format's codec is a file of its own
// (float32_format.cpp, float16_format.cpp, int8_format.cpp, int4_format.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/pickle.h"
#include "quantization/calibration_backend.h"
#include "quantization/quantized_model.h"

namespace brainquant {

class TensorLoader;

/// A tensor of a quantized file. The memory is the model's.
struct TensorRecord {
  std::string name;
  WeightFormat format = WeightFormat::float32;  // as the file's `formats` has it
  TensorType type = TensorType::float32;        // of an element on disk
  std::vector<std::int64_t> shape;
  const void* data = nullptr;  // row-major

  std::int64_t bytes() const;
};

struct WeightCodec {
  WeightFormat format;
  int bits;                // of a value, its scale left out
  const char* own_record;  // what is added to the matrix's name to name the record of its values: "", ".codes"
  TensorType stored_as;    // the element type of that record
  bool has_scales;         // else a granularity means nothing

  /// `run`: WeightShape::run.
  WeightMatrix (*quantize)(const Matrix& weight, std::int64_t run, Granularity granularity);
  Matrix (*dequantize)(const WeightMatrix& weight);
  /// Of the scales; none without scales.
  std::optional<Granularity> (*granularity)(const WeightMatrix& weight);
  /// What rounding by GPTQ needs, null without scales: the scales that suit it best in place of quantize()'s (null
  /// where these do), the values that each row's weights can have with the scales that the matrix has, and the codes
  /// [rows, cols] of such values in place of its own.
  void (*fit_scales)(WeightMatrix& quantized, const Matrix& weight);
  RoundingGrid (*grid)(const WeightMatrix& weight);
  void (*set_codes)(WeightMatrix& weight, const std::vector<std::int8_t>& codes);
  /// The matrix's own record, named `name` + own_record, and those that go with it ("NAME.scale").
  std::vector<TensorRecord> (*records)(const std::string& name, const WeightMatrix& weight);
  /// What records() lists, from a file. `granularity` is what the file's options say of its scales. Throws FormatError
  /// naming file and field.
  WeightMatrix (*load)(TensorLoader& file, const std::string& name, const WeightShape& shape, Granularity granularity);
};

const WeightCodec& codec_of(WeightFormat format);
inline const WeightCodec& codec_of(const WeightMatrix& weight) { return codec_of(format_of(weight)); }

// One a format, each defined in NAME_format.cpp.
extern const WeightCodec kFloat32Codec;
extern const WeightCodec kFloat16Codec;
extern const WeightCodec kInt8Codec;
extern const WeightCodec kInt4Codec;

/// fp32 values as a record: biases, scales.
TensorRecord float32_record(std::string name, const std::vector<float>& values);

}  // namespace brainquant
