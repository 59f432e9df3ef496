// What lies in a model's file, and whether it is whole; nothing is run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "brainquant/model/config.h"
#include "brainquant/quantization/scheme.h"
#include "brainquant/quantization/tensor_report.h"
#include "brainquant/support/option_list.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// Field names are the flags' names: which file is looked at, instead of one being made.
struct InspectOptions {
  std::filesystem::path inspect;
  std::filesystem::path verify;
  bool json = false;

  bool is_set() const { return !inspect.empty() || !verify.empty(); }
  /// Throws UsageError: both at once, or `json` without `inspect`.
  void validate() const;
};

/// The options, each with its flag; they refer to `options`.
OptionList list_options(InspectOptions& options);

/// A day layer that was put into a quantized file after it was made.
struct AddedSessionFacts {
  std::string session;
  std::string source_sha256;  // of the best_checkpoint that it came from
  std::string made_by;        // the tool's version
  bool replaced = false;      // the session was there before
};

/// How a quantized file came to be, as it says itself. What a file of an earlier format version does not say is "".
struct QuantizedFileFacts {
  int format_version = 0;
  QuantizationOptions options;
  std::string made_by;           // the tool's version
  std::string source_sha256;     // of the best_checkpoint that it was made of
  std::string libtorch_version;  // that calibrated; "" without calibration, as the two that follow
  std::vector<std::string> calibration_trials;
  std::string calibration_sha256;
  /// Static types: "day_input", "step_input", "hidden.0", ...; real = q * scale.
  std::vector<std::pair<std::string, float>> activation_scales;
  std::vector<AddedSessionFacts> added_sessions;  // in the order in which that was done
};

struct Inspection {
  std::filesystem::path path;                   // of the file itself
  std::optional<QuantizedFileFacts> quantized;  // nothing for a checkpoint
  std::string sha256;
  std::int64_t bytes = 0;   // on disk
  std::string args_sha256;  // of the args.yaml that describes it, or that it was made with; "" if not known
  DecoderConfig config;
  std::vector<std::string> classes;   // in the order of the logits; none if they are not the 41 that have names
  std::optional<double> val_per;      // what the training run measured, a fraction
  std::vector<StoredTensor> tensors;  // of the model, in the file's order; a checkpoint's optimizer is left out

  std::string method() const;  // "fp32", "static_qint8", ...
  std::int64_t tensor_bytes() const;
};

/// `path`: a quantized file, a checkpoint's folder (MODEL or MODEL/checkpoint) or its best_checkpoint beside args.yaml.
/// Everything that is read is verified as when it is run. Throws FileError, FormatError, Interrupted.
Inspection inspect_model(const std::filesystem::path& path, const RunContext& context = {});

struct Verification {
  std::filesystem::path path;
  std::string method;
  std::size_t records = 0;  // of the archive
  std::size_t tensors = 0;  // of the model
  std::int64_t bytes = 0;
};

/// Compares every record of the file, also those that no program needs (a checkpoint's optimizer), with its CRC-32, and
/// every tensor of a quantized file with its SHA-256. Throws FileError; FormatError naming the record, also for an
/// archive that was saved without checksums; Interrupted.
Verification verify_model(const std::filesystem::path& path, const RunContext& context = {});

}  // namespace brainquant
