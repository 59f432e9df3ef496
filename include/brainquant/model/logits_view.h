// What a decoder says of a trial, as scores and language models read it.
#pragma once

#include <cstdint>

namespace brainquant {

/// Logits of one trial, [steps, classes] row-major; classes in the model's order (BLANK, AA..ZH, ' | ').
struct LogitsView {
  const float* values = nullptr;
  std::int64_t steps = 0;
  std::int64_t classes = 0;
};

}  // namespace brainquant
