#include "brainquant/quantization/inspection.h"

#include <fmt/format.h>

#include <numeric>

#include "brainquant/support/error.h"
#include "io/torch_archive.h"
#include "model/checkpoint.h"
#include "model/classes.h"
#include "quantization/quantized_file.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

/// The folder of a checkpoint that is named by its file or by its folder; "" for anything else.
fs::path checkpoint_folder_of(const fs::path& path) {
  if (is_checkpoint_folder(path)) return path;
  if (path.filename() != kCheckpointFileName) return {};
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code ignored;
  if (fs::exists(folder / "checkpoint" / kCheckpointFileName, ignored)) {
    throw FileError(path.string(), "checkpoint/best_checkpoint lies below it, too: name the folder that is meant");
  }
  return is_checkpoint_folder(folder) ? folder : fs::path();
}

std::vector<std::pair<std::string, float>> named(const ActivationScales& scales) {
  std::vector<std::pair<std::string, float>> list = {{"day_input", scales.day_input},
                                                     {"step_input", scales.step_input}};
  for (std::size_t k = 0; k < scales.hidden.size(); ++k) {
    list.emplace_back(fmt::format("hidden.{}", k), scales.hidden[k]);
  }
  return list;
}

QuantizedFileFacts facts_of(const LoadedQuantizedFile& file) {
  const Provenance& provenance = file.model.provenance;
  QuantizedFileFacts facts;
  facts.format_version = file.format_version;
  facts.options = file.model.options;
  facts.made_by = provenance.tool_version;
  facts.source_sha256 = provenance.source_sha256;
  facts.libtorch_version = provenance.libtorch_version.value_or("");
  facts.calibration_trials = provenance.calibration_trials;
  facts.calibration_sha256 = provenance.calibration_sha256.value_or("");
  if (file.model.activation_scales) facts.activation_scales = named(*file.model.activation_scales);
  for (const AddedSession& added : provenance.added_sessions) {
    facts.added_sessions.push_back({added.session, added.source_sha256, added.tool_version, added.replaced});
  }
  return facts;
}

Inspection inspect_quantized(const fs::path& path, const RunContext& context) {
  const LoadedQuantizedFile file = load_quantized_file(path, context);
  Inspection inspection;
  inspection.path = path;
  inspection.quantized = facts_of(file);
  inspection.sha256 = file.sha256;
  inspection.bytes = file.bytes;
  inspection.args_sha256 = file.model.provenance.args_sha256;
  inspection.config = file.model.config;
  inspection.val_per = file.model.provenance.val_per;
  inspection.tensors = stored_tensors(file.model);
  return inspection;
}

Inspection inspect_checkpoint(const fs::path& folder, const RunContext& context) {
  const Checkpoint checkpoint = load_checkpoint(folder, context);
  Inspection inspection;
  inspection.path = checkpoint.weights_path;
  inspection.sha256 = checkpoint.sha256;
  inspection.bytes = static_cast<std::int64_t>(fs::file_size(checkpoint.weights_path));
  inspection.args_sha256 = checkpoint.args_sha256;
  inspection.config = checkpoint.config;
  inspection.val_per = checkpoint.val_per;
  for (const StoredParameter& parameter : stored_parameters(checkpoint.weights_path)) {
    inspection.tensors.push_back({parameter.name, parameter.dtype, parameter.shape, parameter.bytes, {}});
  }
  return inspection;
}

}  // namespace

void InspectOptions::validate() const {
  if (!inspect.empty() && !verify.empty()) throw UsageError("--inspect and --verify cannot be given together");
  if (json && inspect.empty()) throw UsageError("--json needs --inspect");
}

OptionList list_options(InspectOptions& options) {
  OptionList list;
  list.add("inspect", options.inspect,
           "Only say what a quantized file or a checkpoint folder holds; needs no other option");
  list.add("verify", options.verify, "Only compare such a file with all its checksums; needs no other option");
  list.add("json", options.json, "With --inspect: as JSON");
  return list;
}

std::string Inspection::method() const { return quantized ? quantized->options.method_name() : "fp32"; }

std::int64_t Inspection::tensor_bytes() const {
  return std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0},
                         [](std::int64_t sum, const StoredTensor& tensor) { return sum + tensor.bytes; });
}

Inspection inspect_model(const fs::path& path, const RunContext& context) {
  const fs::path folder = checkpoint_folder_of(path);
  std::error_code ignored;
  if (folder.empty() && fs::is_directory(path, ignored)) require_checkpoint_folder(path);
  Inspection inspection = folder.empty() ? inspect_quantized(path, context) : inspect_checkpoint(folder, context);
  inspection.classes = class_names(inspection.config.n_classes);
  return inspection;
}

Verification verify_model(const fs::path& path, const RunContext& context) {
  const Inspection inspection = inspect_model(path, context);
  const TorchArchiveReader archive(inspection.path, context);
  if (!archive.has_checksums()) {
    throw FormatError(inspection.path.string(), "", "was saved without checksums: there is nothing to verify it by");
  }
  Verification verification;
  verification.path = inspection.path;
  verification.method = inspection.method();
  verification.records = archive.verify_records(context);
  verification.tensors = inspection.tensors.size();
  verification.bytes = inspection.bytes;
  archive.require_unchanged();
  if (archive.file_sha256() != inspection.sha256) {
    throw FileError(inspection.path.string(), "was replaced by another file while it was verified");
  }
  return verification;
}

}  // namespace brainquant
