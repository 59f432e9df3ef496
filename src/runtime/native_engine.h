// INT8 on the CPU's own integer instructions, bit for bit as docs/numerics.md says.
#pragma once

#include <memory>
#include <string>

#include "brainquant/runtime/engine.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// `kernel` as in choose_kernel. Throws UsageError if the model is not INT8.
std::unique_ptr<Engine> make_native_engine(const QuantizedModel& model, const std::string& kernel, int threads);

}  // namespace brainquant
