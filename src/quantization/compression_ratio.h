// How much smaller a quantized model is.
#pragma once

#include <cstdint>

namespace brainquant {

/// fp32's bytes by the model's own; 0 for a model without bytes.
inline double compression_ratio(std::int64_t fp32_bytes, std::int64_t bytes) {
  return bytes > 0 ? static_cast<double>(fp32_bytes) / static_cast<double>(bytes) : 0;
}

}  // namespace brainquant
