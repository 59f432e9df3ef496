// From a checkpoint folder to a quantized file on disk: the whole of what quantize_model does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "brainquant/model/dataset_options.h"
#include "brainquant/quantization/scheme.h"
#include "brainquant/quantization/tensor_report.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

class CalibrationBackend;  // torch/libtorch_calibration.h has one

/// Field names are the flags' names.
struct QuantizeJob {
  std::filesystem::path model_path;   // MODEL or MODEL/checkpoint
  std::filesystem::path output_path;  // the quantized file; args.yaml goes beside it
  QuantizationOptions options;
  std::filesystem::path data_dir = "./data/hdf5_data_final";  // its train files calibrate static types and GPTQ
  std::filesystem::path csv_path = "./data/t15_copyTaskData_description.csv";
  std::int64_t calibration_batch_size = 32;  // trials in memory at once; does not change the result
  int threads = 0;                           // 0: all cores; does not change the result
  bool force = false;                        // overwrite whatever is there
  bool dry_run = false;                      // write nothing, calibrate nothing
  int gpu_number = 0;                        // a documented option that quantization, on the CPU, has no use for

  /// Throws UsageError naming the option.
  void validate() const;
  /// Where the trials that calibrate come from.
  DatasetOptions calibration_data() const;
};

struct QuantizeOutcome {
  bool skipped = false;                 // a valid output of the same QuantizeKey was there already
  std::vector<TensorReport> tensors;    // how well each is kept; empty when skipped
  std::vector<StoredTensor> stored;     // what lies (or would lie) in the file; empty when skipped
  std::int64_t calibration_trials = 0;  // 0 without calibration
  std::int64_t parameters = 0;
  std::int64_t fp32_bytes = 0;        // 4 bytes for each parameter
  std::int64_t checkpoint_bytes = 0;  // of best_checkpoint, which may hold the optimizer's state too
  std::int64_t output_bytes = 0;      // of the quantized file; of its tensors in a dry run
};

/// The options, each with its flag; they refer to `job`.
OptionList list_options(QuantizeJob& job);

/// Throws UsageError, FileError (also when something else lies at output_path and `force` is not set), FormatError,
/// WorkError, Interrupted. `backend` calibrates. Nothing is left at output_path unless the file is whole.
QuantizeOutcome run_quantize_job(const QuantizeJob& job, const CalibrationBackend& backend,
                                 const RunContext& context = {});

}  // namespace brainquant
