// A participant's new day in a quantized file that is there already.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "brainquant/support/run_context.h"

namespace brainquant {

/// Puts the day layer of `session` from a fine-tuned checkpoint into a quantized file; all else of it stays as it is.
struct AddSessionJob {
  std::filesystem::path checkpoint;   // its folder
  std::string session;                // "t15.2025.05.01"
  bool replace = false;               // the file has the session, else it has not
  std::filesystem::path base;         // the quantized file
  std::filesystem::path output_path;  // the new one
  /// Static types: how much of the session's train trials the shared scale clips is measured if they are here.
  std::filesystem::path data_dir = "./data/hdf5_data_final";
  bool force = false;  // overwrite whatever is at output_path

  /// Throws UsageError naming the option.
  void validate() const;
};

/// Values that enter the day layer beyond what its scale, which all days share, can say.
struct Clipping {
  std::int64_t trials = 0;
  std::int64_t values = 0;
  std::int64_t clipped = 0;
  double percent() const { return values > 0 ? 100.0 * static_cast<double>(clipped) / static_cast<double>(values) : 0; }
};

struct AddSessionOutcome {
  std::string method;      // of the file
  std::string tensor;      // the day layer's name in it
  double sqnr_db = 0;      // of its weights: 10 log10(sum of w^2 / sum of (w - dequantized)^2); infinity if exact
  bool is_static = false;  // activations have fixed scales, which may clip
  std::optional<Clipping> clipping;  // none unless it is static and there were trials
  std::string not_measured;          // why there is no clipping of a static file
  std::int64_t output_bytes = 0;
  /// The checkpoint's args.yaml goes beside the output if it lists the sessions of the new file in their order and no
  /// other model's lies there.
  bool args_yaml_written = false;
};

/// The weights are rounded to nearest, whatever the file's other days are: GPTQ would need their calibration's inputs.
/// The output must be a regular file. Throws UsageError; FileError (also when something lies at output_path and `force`
/// is not set); FormatError, naming what differs, if the checkpoint lacks the session, has another decoder, or if its
/// other weights are not those that the file was made of (a file of an earlier version does not say); Interrupted.
AddSessionOutcome add_session(const AddSessionJob& job, const RunContext& context = {});

}  // namespace brainquant
