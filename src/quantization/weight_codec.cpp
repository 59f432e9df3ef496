#include "quantization/weight_codec.h"

namespace brainquant {

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
