// The engines for INT8 models that need nothing but this library.
#pragma once

#include <memory>

#include "brainquant/runtime/engine.h"
#include "brainquant/runtime/engine_options.h"
#include "quantization/quantized_file.h"

namespace brainquant {

/// A model of INT8 and 4-bit weights in "reference" or "native", which is the default. Throws UsageError for another
/// engine or a model with other weights; torch/any_engine.h runs those too.
std::unique_ptr<Engine> make_int8_engine(const QuantizedModel& model, const EngineOptions& options);

/// The same for an open file; "native" never has all of its tensors in memory.
std::unique_ptr<Engine> make_int8_engine(const QuantizedFileReader& file, const EngineOptions& options,
                                         const RunContext& context = {});

}  // namespace brainquant
