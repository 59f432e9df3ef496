#include "brainquant/quantization/weight_format.h"

namespace brainquant {

namespace {

constexpr EnumName<WeightFormat> kFormats[] = {
    {WeightFormat::float32, "float32"}, {WeightFormat::float16, "float16"}, {WeightFormat::int8, "int8"}};

}  // namespace

template <>
std::span<const EnumName<WeightFormat>> enum_names() {
  return kFormats;
}

std::string name_of(WeightFormat value) { return enum_name(value); }
WeightFormat parse_weight_format(const std::string& name) { return parse_enum<WeightFormat>("format", name); }

WeightFormat format_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::qint8:
      return WeightFormat::int8;
    case Dtype::float16:
      return WeightFormat::float16;
  }
  refuse_enumerator(static_cast<int>(dtype));
}

}  // namespace brainquant
