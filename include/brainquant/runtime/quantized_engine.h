// A quantized INT8 file as an engine: all that a live system needs to open.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "brainquant/runtime/engine.h"
#include "brainquant/runtime/engine_options.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

struct QuantizedEngine {
  std::string method;  // "static_qint8", "dynamic_qint8", ...
  std::unique_ptr<Engine> engine;
};

/// Opens a file of INT8 weights in "native", which is the default, or "reference". For "native" each matrix is read,
/// verified and packed by itself, on all of the engine's threads: the file's tensors are never in memory as a whole.
/// Throws FileError, FormatError naming file and field, and UsageError for another engine or other weights.
QuantizedEngine open_quantized_engine(const std::filesystem::path& path, const EngineOptions& options,
                                      const RunContext& context = {});

}  // namespace brainquant
