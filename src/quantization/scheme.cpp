#include "brainquant/quantization/scheme.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, const char*>, N>;

constexpr Names<QuantizationType, 3> kTypes = {{{QuantizationType::dynamic_range, "dynamic"},
                                                {QuantizationType::static_per_tensor, "static"},
                                                {QuantizationType::static_per_channel, "static_per_channel"}}};
constexpr Names<Dtype, 2> kDtypes = {{{Dtype::qint8, "qint8"}, {Dtype::float16, "float16"}}};
constexpr Names<Granularity, 2> kGranularities = {
    {{Granularity::per_tensor, "per_tensor"}, {Granularity::per_channel, "per_channel"}}};
constexpr Names<ObserverKind, 3> kObservers = {{{ObserverKind::minmax, "minmax"},
                                                {ObserverKind::percentile, "percentile"},
                                                {ObserverKind::histogram, "histogram"}}};
constexpr Names<DayLayers, 2> kDayLayers = {{{DayLayers::quantize, "quantize"}, {DayLayers::keep_float, "float"}}};

template <typename Enum, std::size_t N>
std::string name_in(const Names<Enum, N>& names, Enum value) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  throw UsageError(fmt::format("no name for enumerator {}", static_cast<int>(value)));
}

template <typename Enum, std::size_t N>
Enum parse_in(const Names<Enum, N>& names, const char* what, const std::string& text) {
  std::string choices;
  for (const auto& [value, name] : names) {
    if (text == name) return value;
    choices += fmt::format("{}{}", choices.empty() ? "" : ", ", name);
  }
  throw UsageError(fmt::format("{}: found '{}', expected one of {}", what, text, choices));
}

}  // namespace

std::string name_of(QuantizationType value) { return name_in(kTypes, value); }
std::string name_of(Dtype value) { return name_in(kDtypes, value); }
std::string name_of(Granularity value) { return name_in(kGranularities, value); }
std::string name_of(ObserverKind value) { return name_in(kObservers, value); }
std::string name_of(DayLayers value) { return name_in(kDayLayers, value); }

QuantizationType parse_quantization_type(const std::string& name) {
  return parse_in(kTypes, "quantization_type", name);
}
Dtype parse_dtype(const std::string& name) { return parse_in(kDtypes, "dtype", name); }
Granularity parse_granularity(const std::string& name) { return parse_in(kGranularities, "weight_granularity", name); }
ObserverKind parse_observer(const std::string& name) { return parse_in(kObservers, "observer", name); }
DayLayers parse_day_layers(const std::string& name) { return parse_in(kDayLayers, "day_layers", name); }

void QuantizationOptions::validate() const {
  if (dtype == Dtype::float16 && is_static()) {
    throw UsageError(
        fmt::format("--dtype float16 goes only with --quantization_type dynamic, not {}", name_of(quantization_type)));
  }
  if (weight_granularity && (is_static() || dtype == Dtype::float16)) {
    throw UsageError(fmt::format("--weight_granularity goes only with dynamic qint8, not {}: {}", method_name(),
                                 is_static() ? "the type says the granularity" : "FP16 weights have no scales"));
  }
  if (observer && !is_static()) {
    throw UsageError("--observer goes only with static and static_per_channel: dynamic needs no calibration");
  }
  if (calibration_samples < 1) {
    throw UsageError(fmt::format("--calibration_samples: found {}, expected at least 1", calibration_samples));
  }
}

Granularity QuantizationOptions::effective_granularity() const {
  if (quantization_type == QuantizationType::static_per_channel) return Granularity::per_channel;
  return weight_granularity.value_or(Granularity::per_tensor);
}

ObserverKind QuantizationOptions::effective_observer() const { return observer.value_or(ObserverKind::minmax); }

std::string QuantizationOptions::method_name() const {
  return fmt::format("{}_{}", name_of(quantization_type), name_of(dtype));
}

std::vector<QuantizationOptions> all_methods() {
  std::vector<QuantizationOptions> methods(4);
  methods[1].dtype = Dtype::float16;
  methods[2].quantization_type = QuantizationType::static_per_tensor;
  methods[3].quantization_type = QuantizationType::static_per_channel;
  return methods;
}

}  // namespace brainquant
