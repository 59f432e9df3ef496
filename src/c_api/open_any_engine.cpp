// libbrainquant_c_torch: quantized files of every format in every engine, and checkpoint folders in fp32.

#include <system_error>

#include "brainquant/support/error.h"
#include "c_api/open_engine.h"
#include "model/checkpoint.h"
#include "quantization/quantized_file.h"
#include "torch/any_engine.h"

namespace brainquant::c_api {

QuantizedEngine open_engine(const std::filesystem::path& path, const EngineOptions& options) {
  std::error_code no_folder;  // what is wrong with the path, the reader will say
  if (std::filesystem::is_directory(path, no_folder)) {
    if (!is_checkpoint_folder(path)) throw FileError(path.string(), "a folder without checkpoint/best_checkpoint");
    const Checkpoint checkpoint = load_checkpoint(path);
    return {"fp32", make_engine(checkpoint.config, checkpoint.weights, options)};
  }
  const QuantizedFileReader file(path);
  QuantizedEngine opened{file.model().options.method_name(), make_engine(file, options)};
  file.require_unchanged();
  return opened;
}

}  // namespace brainquant::c_api
