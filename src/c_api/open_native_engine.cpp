// libbrainquant_c: INT8 files in the engines that need no LibTorch.

#include <fmt/format.h>

#include <system_error>

#include "brainquant/support/error.h"
#include "c_api/open_engine.h"
#include "quantization/quantized_file.h"
#include "runtime/int8_engine.h"
#include "runtime/require_int8.h"

namespace brainquant::c_api {

namespace {

constexpr const char* kFullLibrary = "libbrainquant_c_torch";

}  // namespace

QuantizedEngine open_engine(const std::filesystem::path& path, const EngineOptions& options) {
  options.validate();
  std::error_code no_folder;  // what is wrong with the path, the reader will say
  if (std::filesystem::is_directory(path, no_folder)) {
    throw UsageError(
        fmt::format("{}: a folder; {} opens checkpoints, this library quantized files", path.string(), kFullLibrary));
  }
  if (options.engine == "libtorch") {
    throw UsageError(fmt::format("engine 'libtorch': this library has none; {} does", kFullLibrary));
  }
  const QuantizedFileReader file(path);
  for (const WeightFormat format : file.weight_formats()) {
    if (runs_as_int8(format)) continue;
    throw UsageError(fmt::format("{}: {} weights; {} runs such models, this library those of 8 and 4 bits",
                                 path.string(), name_of(format), kFullLibrary));
  }
  QuantizedEngine opened{file.model().options.method_name(), make_int8_engine(file, options)};
  file.require_unchanged();
  return opened;
}

}  // namespace brainquant::c_api
