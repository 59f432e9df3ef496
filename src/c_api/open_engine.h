// What a C library opens: each of the two libraries has its own.
#pragma once

#include <filesystem>

#include "brainquant/runtime/quantized_engine.h"

namespace brainquant::c_api {

/// Throws what bq_model_open() reports.
QuantizedEngine open_engine(const std::filesystem::path& path, const EngineOptions& options);

}  // namespace brainquant::c_api
