#include "quantization/weight_codec.h"

namespace brainquant {

namespace {

constexpr EnumName<WeightFormat> kFormats[] = {{WeightFormat::float32, "float32"},
                                               {WeightFormat::float16, "float16"},
                                               {WeightFormat::int8, "int8"},
                                               {WeightFormat::int4, "int4"}};

}  // namespace

template <>
std::span<const EnumName<WeightFormat>> enum_names() {
  return kFormats;
}

std::string name_of(WeightFormat value) { return enum_name(value); }
WeightFormat parse_weight_format(const std::string& name) { return parse_enum<WeightFormat>("format", name); }

std::int64_t TensorRecord::bytes() const {
  auto count = static_cast<std::int64_t>(bytes_per_element(type));
  for (const std::int64_t size : shape) count *= size;
  return count;
}

const WeightCodec& codec_of(WeightFormat format) {
  switch (format) {
    case WeightFormat::float32:
      return kFloat32Codec;
    case WeightFormat::float16:
      return kFloat16Codec;
    case WeightFormat::int8:
      return kInt8Codec;
    case WeightFormat::int4:
      return kInt4Codec;
  }
  refuse_enumerator(static_cast<int>(format));
}

TensorRecord float32_record(std::string name, const std::vector<float>& values) {
  return {std::move(name),
          WeightFormat::float32,
          TensorType::float32,
          {static_cast<std::int64_t>(values.size())},
          values.data()};
}

}  // namespace brainquant
