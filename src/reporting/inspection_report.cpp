#include "brainquant/reporting/inspection_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/support/printable.h"
#include "brainquant/version.h"
#include "evaluation/json_values.h"
#include "reporting/text_table.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

using Align = TextTable::Align;

constexpr std::size_t kTrialsNamed = 3;
constexpr double kPercent = 100;

/// Lines of "name: value"; a value of "" is left out.
class Facts {
 public:
  void add(const std::string& name, const std::string& value) {
    if (!value.empty()) text_ += fmt::format("{:<20}{}\n", name, printable(value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string trials_text(const std::vector<std::string>& trials) {
  if (trials.empty()) return "";
  if (trials.size() <= kTrialsNamed) return fmt::format("{}: {}", trials.size(), fmt::join(trials, ", "));
  return fmt::format("{}: {} to {}", trials.size(), trials.front(), trials.back());
}

std::string options_text(const QuantizationOptions& given) {
  QuantizationOptions options = given;
  std::string text;
  const OptionList list = list_options(options);
  for (const Option& option : list.options()) {
    const std::string value = text_of(option.effective_value());
    if (!value.empty()) text += fmt::format("{}--{} {}", text.empty() ? "" : " ", option.name, value);
  }
  return text;
}

void add_quantized(Facts& facts, const QuantizedFileFacts& quantized) {
  facts.add("format version", std::to_string(quantized.format_version));
  facts.add("made by", "brainquant " + quantized.made_by);
  facts.add("options", options_text(quantized.options));
  facts.add("made of", quantized.source_sha256);
  facts.add("calibrated with", trials_text(quantized.calibration_trials));
  facts.add("calibration data", quantized.calibration_sha256);
  facts.add("calibrated by", quantized.libtorch_version.empty() ? "" : "LibTorch " + quantized.libtorch_version);
  for (const auto& [name, scale] : quantized.activation_scales) {
    facts.add("scale of " + name, fmt::format("{:g}", scale));
  }
  for (const AddedSessionFacts& added : quantized.added_sessions) {
    facts.add(added.replaced ? "session replaced" : "session added",
              fmt::format("{} of checkpoint {}, by brainquant {}", added.session, added.source_sha256, added.made_by));
  }
}

TextTable tensors_table(const Inspection& inspection) {
  TextTable table({{"tensor", Align::left},
                   {"type", Align::left},
                   {"shape", Align::left},
                   {"bytes"},
                   {"scales", Align::left, true}});
  for (const StoredTensor& tensor : inspection.tensors) {
    const std::string scales =
        tensor.scales ? fmt::format("{:.3g} to {:.3g}", tensor.scales->min, tensor.scales->max) : "";
    table.add_row({printable(tensor.name), tensor.dtype, fmt::format("[{}]", fmt::join(tensor.shape, ", ")),
                   std::to_string(tensor.bytes), scales});
  }
  return table;
}

ordered_json json_of(const DecoderConfig& config) {
  return {{"n_input_features", config.n_input_features},
          {"n_units", config.n_units},
          {"n_layers", config.n_layers},
          {"n_classes", config.n_classes},
          {"patch_size", config.patch_size},
          {"patch_stride", config.patch_stride},
          {"parameters", config.parameter_count()},
          {"fp32_bytes", config.fp32_bytes()},
          {"sessions", config.sessions},
          {"smooth_data", config.smoothing.smooth_data},
          {"smooth_kernel_std", config.smoothing.smooth_kernel_std},
          {"smooth_kernel_size", config.smoothing.smooth_kernel_size}};
}

ordered_json text_or_null(const std::string& text) { return text.empty() ? ordered_json(nullptr) : ordered_json(text); }

ordered_json json_of(const QuantizedFileFacts& quantized) {
  QuantizationOptions options = quantized.options;
  ordered_json scales = ordered_json::object();
  for (const auto& [name, scale] : quantized.activation_scales) scales[name] = scale;
  ordered_json added_sessions = ordered_json::array();
  for (const AddedSessionFacts& added : quantized.added_sessions) {
    added_sessions.push_back({{"session", added.session},
                              {"source_sha256", added.source_sha256},
                              {"made_by", added.made_by},
                              {"replaced", added.replaced}});
  }
  return {{"format_version", quantized.format_version},
          {"made_by", quantized.made_by},
          {"options", brainquant::json_of(list_options(options).values())},
          {"source_sha256", quantized.source_sha256},
          {"libtorch_version", text_or_null(quantized.libtorch_version)},
          {"calibration_trials", quantized.calibration_trials},
          {"calibration_sha256", text_or_null(quantized.calibration_sha256)},
          {"activation_scales", scales},
          {"added_sessions", added_sessions}};
}

ordered_json json_of(const StoredTensor& tensor) {
  return {{"name", tensor.name},
          {"type", tensor.dtype},
          {"shape", tensor.shape},
          {"bytes", tensor.bytes},
          {"scale_min", tensor.scales ? ordered_json(tensor.scales->min) : ordered_json(nullptr)},
          {"scale_max", tensor.scales ? ordered_json(tensor.scales->max) : ordered_json(nullptr)}};
}

}  // namespace

std::string inspection_text(const Inspection& inspection, std::size_t width) {
  const DecoderConfig& config = inspection.config;
  Facts facts;
  facts.add("file", inspection.path.string());
  facts.add("holds", inspection.quantized ? "a quantized model, " + inspection.method() : "a checkpoint (fp32)");
  facts.add("bytes", std::to_string(inspection.bytes));
  facts.add("SHA-256", inspection.sha256);
  if (inspection.quantized) add_quantized(facts, *inspection.quantized);
  facts.add("args.yaml", inspection.args_sha256);
  if (inspection.val_per) {
    facts.add("val_PER", fmt::format("{:.2f} %, as the training run measured it", kPercent * *inspection.val_per));
  }
  facts.add("decoder", fmt::format("{} features, {} GRU layers of {} units, {} classes", config.n_input_features,
                                   config.n_layers, config.n_units, config.n_classes));
  facts.add("a step", fmt::format("{} bins, every {} bins", config.bins_per_step(), config.bins_between_steps()));
  facts.add("smoothing", config.smoothing.smooth_data
                             ? fmt::format("Gaussian, {:g} bins", config.smoothing.smooth_kernel_std)
                             : "none");
  facts.add("parameters", fmt::format("{}, {} bytes in fp32", config.parameter_count(), config.fp32_bytes()));
  facts.add("sessions", fmt::format("{}: {}", config.sessions.size(), fmt::join(config.sessions, " ")));
  facts.add("classes", fmt::format("{}", fmt::join(inspection.classes, " ")));
  return fmt::format("{}\n{}\n{} tensors, {} bytes\n", facts.text(), tensors_table(inspection).text(width),
                     inspection.tensors.size(), inspection.tensor_bytes());
}

std::string inspection_json(const Inspection& inspection) {
  ordered_json json = {{"schema", "brainquant/inspection"},
                       {"schema_version", kResultsSchemaVersion},
                       {"tool_version", kVersion},
                       {"path", inspection.path.string()},
                       {"method", inspection.method()},
                       {"bytes", inspection.bytes},
                       {"sha256", inspection.sha256},
                       {"args_sha256", text_or_null(inspection.args_sha256)},
                       {"val_per", inspection.val_per ? ordered_json(*inspection.val_per) : ordered_json(nullptr)},
                       {"quantized", inspection.quantized ? json_of(*inspection.quantized) : ordered_json(nullptr)},
                       {"decoder", json_of(inspection.config)},
                       {"classes", inspection.classes},
                       {"tensor_bytes", inspection.tensor_bytes()},
                       {"tensors", ordered_json::array()}};
  for (const StoredTensor& tensor : inspection.tensors) json["tensors"].push_back(json_of(tensor));
  return json_text(json);
}

std::string verification_text(const Verification& verification) {
  return fmt::format("{}: ok, {}, {} records with their CRC-32, {} tensors, {} bytes\n", verification.path.string(),
                     verification.method, verification.records, verification.tensors, verification.bytes);
}

}  // namespace brainquant
