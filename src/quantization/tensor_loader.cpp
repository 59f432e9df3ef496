#include "quantization/tensor_loader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "model/usable_values.h"
#include "quantization/parsed_field.h"
#include "quantization/weight_codec.h"
#include "support/sha256.h"

namespace brainquant {

namespace {

std::string text_of(TensorType type, const TensorLoader::Shape& shape) {
  return fmt::format("{} [{}]", name_of(type), fmt::join(shape, ", "));
}

}  // namespace

TensorLoader::TensorLoader(const TorchArchiveReader& archive, int format_version, const QuantizationOptions& options)
    : archive_(archive),
      options_(options),
      tensors_(archive.root_field().at("tensors")),
      checksums_(archive.root_field().at("checksums")) {
  if (format_version >= 2) formats_ = archive.root_field().at("formats");
}

WeightMatrix TensorLoader::weight(const std::string& name, const WeightShape& shape) {
  const WeightCodec& codec = codec_of(format_of_weight(name));
  return codec.load(*this, name, shape, options_.effective_granularity());
}

WeightFormat TensorLoader::format_of_weight(const std::string& name) const {
  if (!formats_) return format_of(options_, name);
  std::string own_record;
  for (const auto& [format, format_name] : enum_names<WeightFormat>()) {
    if (tensors_.has(name + codec_of(format).own_record)) own_record = codec_of(format).own_record;
  }
  const PickleTensor& tensor = tensors_.at(name + own_record).as_tensor();
  const PickleField field = formats_->at(name + own_record);
  const WeightFormat format = parsed(field, parse_weight_format);
  if (codec_of(format).stored_as != tensor.storage.type || codec_of(format).own_record != own_record) {
    field.fail(
        fmt::format("found '{}', but the tensor is {}", name_of(format), text_of(tensor.storage.type, tensor.shape)));
  }
  return format;
}

std::vector<float> TensorLoader::float32(const std::string& name, const Shape& shape, const std::string& why) {
  const PickleField field = take(name, shape, TensorType::float32, why);
  require_format(name, WeightFormat::float32, "float32");
  std::vector<float> values = verified(name, archive_.read_float32(field));
  if (!all_usable(values)) {
    const auto finite = [](float v) { return std::isfinite(v); };
    if (!std::all_of(values.begin(), values.end(), finite)) field.fail("NaN or infinity");
    field.fail(fmt::format("a magnitude above {:g}", kLargestMagnitude));
  }
  return values;
}

std::vector<std::uint16_t> TensorLoader::float16_bits(const std::string& name, const Shape& shape) {
  return verified(name, archive_.read_float16_bits(take(name, shape, TensorType::float16)));
}

std::vector<std::int8_t> TensorLoader::int8(const std::string& name, const Shape& shape) {
  return verified(name, archive_.read_int8(take(name, shape, TensorType::int8)));
}

std::vector<std::uint8_t> TensorLoader::nibbles(const std::string& name, const Shape& shape) {
  const PickleField field = take(name, shape, TensorType::uint8);
  require_format(name, WeightFormat::int4, "of an int4 matrix");
  return verified(name, archive_.read_uint8(field));
}

void TensorLoader::require_format(const std::string& name, WeightFormat format, const char* stored_as) const {
  if (!formats_ || parsed(formats_->at(name), parse_weight_format) == format) return;
  formats_->at(name).fail(fmt::format("found '{}', but the tensor is {}", formats_->at(name).as_string(), stored_as));
}

void TensorLoader::fail(const std::string& name, const std::string& message) const { tensors_.at(name).fail(message); }

void TensorLoader::require_all_taken() const {
  require_count(tensors_, "tensors");
  if (formats_) require_count(*formats_, "number formats");
}

PickleField TensorLoader::take(const std::string& name, const Shape& shape, TensorType type, const std::string& why) {
  ++taken_;
  const PickleField field = tensors_.at(name);
  const PickleTensor& tensor = field.as_tensor();
  if (tensor.shape != shape || tensor.storage.type != type) {
    field.fail(fmt::format("found {}, expected {}{}{}", text_of(tensor.storage.type, tensor.shape),
                           text_of(type, shape), why.empty() ? "" : ": ", why));
  }
  return field;
}

template <typename T>
std::vector<T> TensorLoader::verified(const std::string& name, std::vector<T> values) const {
  const std::string found = sha256_of_bytes(values.data(), values.size() * sizeof(T));
  const PickleField expected = checksums_.at(name);
  if (found != expected.as_string()) {
    fail(name, fmt::format("the tensor is damaged: found SHA-256 {}, expected {}", found, expected.as_string()));
  }
  return values;
}

void TensorLoader::require_count(const PickleField& dict, std::string_view what) const {
  const std::size_t found = dict.entries().size();
  if (found != taken_) dict.fail(fmt::format("found {} {}, expected {}", found, what, taken_.load()));
}

}  // namespace brainquant
