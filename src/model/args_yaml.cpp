// The few settings of args.yaml that make a decoder; everything else in the file is the training run's business.

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <unordered_set>

#include "brainquant/support/error.h"
#include "model/checkpoint.h"
#include "model/config_limits.h"
#include "model/smoothing.h"

namespace brainquant {

namespace {

using namespace config_limits;

constexpr std::size_t kMaxYamlBytes = std::size_t{1} << 20;

/// A node and its place, so that every message can name both.
class Setting {
 public:
  Setting(YAML::Node node, const std::string& path, std::string name)
      : node_(std::move(node)), path_(path), name_(std::move(name)) {}

  /// A key that must be there, once.
  Setting at(const std::string& key) const {
    YAML::Node found = find(key);
    if (!found.IsDefined()) throw FormatError(path_, below(key), "is missing");
    return Setting(found, path_, below(key));
  }

  bool has(const std::string& key) const { return find(key).IsDefined(); }

  std::int64_t integer(std::int64_t lowest, std::int64_t highest) const {
    std::int64_t value = 0;
    if (!parse(value) || value < lowest || value > highest) {
      expected(fmt::format("an integer from {} to {}", lowest, highest));
    }
    return value;
  }

  double kernel_std() const {
    double value = 0;
    if (!parse(value) || !is_kernel_std(value)) {
      expected(fmt::format("a number above 0 and at most {}", kMaxKernelStd));
    }
    return value;
  }

  bool boolean() const {
    bool value = false;
    if (!node_.IsScalar() || !YAML::convert<bool>::decode(node_, value)) expected("true or false");
    return value;
  }

  /// Distinct names of folders.
  std::vector<std::string> folder_names() const {
    if (!node_.IsSequence() || node_.size() == 0) expected("a list of at least one name");
    if (node_.size() > kMaxSessions) expected(fmt::format("at most {} names", kMaxSessions));
    std::vector<std::string> names;
    std::unordered_set<std::string> seen;
    for (const YAML::Node& item : node_) {
      const Setting entry(item, path_, fmt::format("{}[{}]", name_, names.size()));
      if (!item.IsScalar()) entry.expected("a name");
      const std::string& name = item.Scalar();
      if (!is_folder_name(name)) entry.expected("the name of a folder");
      if (!seen.insert(name).second) entry.expected("each session once");
      names.push_back(name);
    }
    return names;
  }

  [[noreturn]] void fail(const std::string& problem) const { throw FormatError(path_, name_, problem); }

 private:
  // Keys are looked for one by one: yaml-cpp's own look-up takes the first of two equal ones, Python's the last.
  YAML::Node find(const std::string& key) const {
    if (!node_.IsMap()) expected("keys and values");
    YAML::Node found(YAML::NodeType::Undefined);
    for (const auto& entry : node_) {
      if (!entry.first.IsScalar() || entry.first.Scalar() != key) continue;
      if (found.IsDefined()) throw FormatError(path_, below(key), "is there twice");
      found.reset(entry.second);
    }
    return found;
  }

  std::string below(const std::string& key) const { return name_.empty() ? key : fmt::format("{}.{}", name_, key); }

  template <class Number>
  bool parse(Number& value) const {
    if (!node_.IsScalar()) return false;
    const std::string& text = node_.Scalar();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  }

  std::string found() const {
    constexpr std::size_t kLongest = 60;
    switch (node_.Type()) {
      case YAML::NodeType::Scalar:
        return node_.Scalar().size() <= kLongest ? fmt::format("'{}'", node_.Scalar()) : "a long text";
      case YAML::NodeType::Sequence:
        return fmt::format("a list of {}", node_.size());
      case YAML::NodeType::Map:
        return "keys and values";
      default:
        return "nothing";
    }
  }

  [[noreturn]] void expected(const std::string& what) const {
    const int line = node_.Mark().line + 1;
    throw FormatError(path_, line > 0 ? fmt::format("line {}: {}", line, name_) : name_, found(), what);
  }

  YAML::Node node_;
  const std::string& path_;
  std::string name_;
};

DecoderConfig decoder_config(const Setting& root) {
  DecoderConfig config;
  const Setting model = root.at("model");
  config.n_input_features = model.at("n_input_features").integer(1, kMaxWidth);
  config.n_units = model.at("n_units").integer(1, kMaxWidth);
  config.n_layers = model.at("n_layers").integer(1, kMaxLayers);
  config.patch_size = model.at("patch_size").integer(0, kMaxPatch);
  if (config.patch_size > 0) {
    config.patch_stride = model.at("patch_stride").integer(1, kMaxPatch);
  } else {
    config.patch_stride = 0;
  }

  const Setting dataset = root.at("dataset");
  config.n_classes = dataset.at("n_classes").integer(kMinClasses, kMaxWidth);
  config.sessions = dataset.at("sessions").folder_names();

  const Setting transforms = dataset.at("data_transforms");
  config.smoothing.smooth_data = transforms.at("smooth_data").boolean();
  if (config.smoothing.smooth_data || transforms.has("smooth_kernel_std")) {
    config.smoothing.smooth_kernel_std = transforms.at("smooth_kernel_std").kernel_std();
  }
  if (config.smoothing.smooth_data || transforms.has("smooth_kernel_size")) {
    config.smoothing.smooth_kernel_size = transforms.at("smooth_kernel_size").integer(1, kMaxKernelSize);
  }
  try {
    smoothing_taps(config.smoothing);
  } catch (const UsageError& error) {
    transforms.fail(error.what());
  }
  return config;
}

}  // namespace

DecoderConfig parse_args_yaml(const std::string& text, const std::string& path) {
  if (text.size() > kMaxYamlBytes) {
    throw FormatError(path, "", fmt::format("{} bytes", text.size()), fmt::format("at most {}", kMaxYamlBytes));
  }
  try {
    const DecoderConfig config = decoder_config(Setting(YAML::Load(text), path, ""));
    if (config.parameter_count() > kMaxParameters) {
      throw FormatError(path, "model", fmt::format("sizes that make {} parameters", config.parameter_count()),
                        fmt::format("at most {}", kMaxParameters));
    }
    return config;
  } catch (const YAML::Exception& error) {
    throw FormatError(path, fmt::format("line {}", error.mark.line + 1), error.msg);
  }
}

}  // namespace brainquant
