// INT8 on the CPU's own integer instructions, bit for bit as docs/numerics.md says.
#pragma once

#include <memory>
#include <string>

#include "brainquant/runtime/engine.h"
#include "quantization/quantized_file.h"

namespace brainquant {

/// `kernel` as in choose_kernel. Throws UsageError if a weight is neither INT8 nor 4 bits.
std::unique_ptr<Engine> make_native_engine(const QuantizedModel& model, const std::string& kernel, int threads);

/// The model of an open file, whose matrices are read, verified and packed one by one by all threads.
std::unique_ptr<Engine> open_native_engine(const QuantizedFileReader& file, const std::string& kernel, int threads);

}  // namespace brainquant
