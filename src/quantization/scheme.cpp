#include "brainquant/quantization/scheme.h"

#include <fmt/format.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "quantization/bits_rule.h"
#include "quantization/weight_codec.h"
#include "support/sha256.h"

namespace brainquant {

namespace {

constexpr EnumName<QuantizationType> kTypes[] = {{QuantizationType::dynamic_range, "dynamic"},
                                                 {QuantizationType::static_per_tensor, "static"},
                                                 {QuantizationType::static_per_channel, "static_per_channel"}};
constexpr EnumName<Dtype> kDtypes[] = {
    {Dtype::qint8, "qint8"}, {Dtype::float16, "float16"}, {Dtype::qint4, "qint4"}, {Dtype::mixed, "mixed"}};
constexpr EnumName<Granularity> kGranularities[] = {{Granularity::per_tensor, "per_tensor"},
                                                    {Granularity::per_channel, "per_channel"}};
constexpr EnumName<ObserverKind> kObservers[] = {
    {ObserverKind::minmax, "minmax"}, {ObserverKind::percentile, "percentile"}, {ObserverKind::histogram, "histogram"}};
constexpr EnumName<DayLayers> kDayLayers[] = {{DayLayers::quantize, "quantize"}, {DayLayers::keep_float, "float"}};
constexpr EnumName<WeightRounding> kRoundings[] = {{WeightRounding::nearest, "nearest"},
                                                   {WeightRounding::gptq, "gptq"}};

/// Where some weights may have 4 bits, all have a scale for each row.
bool may_have_4_bits(Dtype dtype) {
  switch (dtype) {
    case Dtype::qint4:
    case Dtype::mixed:
      return true;
    case Dtype::qint8:
    case Dtype::float16:
      return false;
  }
  refuse_enumerator(static_cast<int>(dtype));
}

bool have_scales(Dtype dtype) { return codec_of(format_of(dtype)).has_scales; }

}  // namespace

template <>
std::span<const EnumName<QuantizationType>> enum_names() {
  return kTypes;
}
template <>
std::span<const EnumName<Dtype>> enum_names() {
  return kDtypes;
}
template <>
std::span<const EnumName<Granularity>> enum_names() {
  return kGranularities;
}
template <>
std::span<const EnumName<ObserverKind>> enum_names() {
  return kObservers;
}
template <>
std::span<const EnumName<DayLayers>> enum_names() {
  return kDayLayers;
}
template <>
std::span<const EnumName<WeightRounding>> enum_names() {
  return kRoundings;
}

std::string name_of(QuantizationType value) { return enum_name(value); }
std::string name_of(Dtype value) { return enum_name(value); }
std::string name_of(Granularity value) { return enum_name(value); }
std::string name_of(ObserverKind value) { return enum_name(value); }
std::string name_of(DayLayers value) { return enum_name(value); }
std::string name_of(WeightRounding value) { return enum_name(value); }

QuantizationType parse_quantization_type(const std::string& name) {
  return parse_enum<QuantizationType>("quantization_type", name);
}
Dtype parse_dtype(const std::string& name) { return parse_enum<Dtype>("dtype", name); }
Granularity parse_granularity(const std::string& name) { return parse_enum<Granularity>("weight_granularity", name); }
ObserverKind parse_observer(const std::string& name) { return parse_enum<ObserverKind>("observer", name); }
DayLayers parse_day_layers(const std::string& name) { return parse_enum<DayLayers>("day_layers", name); }
WeightRounding parse_weight_rounding(const std::string& name) {
  return parse_enum<WeightRounding>("weight_rounding", name);
}

WeightFormat format_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::qint8:
      return WeightFormat::int8;
    case Dtype::float16:
      return WeightFormat::float16;
    case Dtype::qint4:
      return WeightFormat::int4;
    case Dtype::mixed:
      return WeightFormat::int8;
  }
  refuse_enumerator(static_cast<int>(dtype));
}

WeightFormat format_of(const QuantizationOptions& options, const std::string& name) {
  if (options.dtype == Dtype::qint4 && name == "out.weight") return WeightFormat::int8;
  if (options.dtype == Dtype::mixed && bits_of(options.bits, name) == 4) return WeightFormat::int4;
  return format_of(options.dtype);
}

void QuantizationOptions::validate() const {
  if (!has_scales() && is_static()) {
    throw UsageError(fmt::format("--dtype {} requires --quantization_type dynamic, not {}", name_of(dtype),
                                 name_of(quantization_type)));
  }
  if (may_have_4_bits(dtype) && quantization_type == QuantizationType::static_per_tensor) {
    throw UsageError(
        fmt::format("--dtype {} requires --quantization_type dynamic or static_per_channel, not {}: a 4-bit weight has "
                    "a scale for each row by nature",
                    name_of(dtype), name_of(quantization_type)));
  }
  if (weight_granularity && !chooses_granularity()) {
    throw UsageError(fmt::format("--weight_granularity applies only to dynamic qint8, not to {}: {}", method_name(),
                                 may_have_4_bits(dtype) ? "a 4-bit weight has a scale for each row by nature"
                                 : is_static()          ? "the type says the granularity"
                                                        : "FP16 weights have no scales"));
  }
  if ((dtype == Dtype::mixed) == bits.empty()) {
    throw UsageError(
        dtype == Dtype::mixed
            ? "--dtype mixed requires --bits, or a budget that chooses them (--max_per_increase, --max_wer_increase)"
            : fmt::format("--bits applies only to --dtype mixed, not to {}", method_name()));
  }
  for (const std::string& rule : bits) parse_bits_rule(rule);
  if (weight_rounding && !has_scales()) {
    throw UsageError(fmt::format("--weight_rounding does not apply to {}: FP16 weights have no scales", method_name()));
  }
  if (observer && !is_static()) {
    throw UsageError("--observer applies only to static and static_per_channel: dynamic needs no calibration");
  }
  if (calibration_samples < 1) {
    throw UsageError(fmt::format("--calibration_samples: found {}, expected at least 1", calibration_samples));
  }
  if (gptq_samples < 1) {
    throw UsageError(fmt::format("--gptq_samples: found {}, expected at least 1", gptq_samples));
  }
}

Granularity QuantizationOptions::effective_granularity() const {
  if (quantization_type == QuantizationType::static_per_channel || may_have_4_bits(dtype))
    return Granularity::per_channel;
  return weight_granularity.value_or(Granularity::per_tensor);
}

ObserverKind QuantizationOptions::effective_observer() const { return observer.value_or(ObserverKind::minmax); }

bool QuantizationOptions::has_4_bit_weights() const {
  const auto asks_for_4 = [](const std::string& rule) { return parse_bits_rule(rule).width == 4; };
  return dtype == Dtype::qint4 || (dtype == Dtype::mixed && std::any_of(bits.begin(), bits.end(), asks_for_4));
}

bool QuantizationOptions::has_scales() const { return have_scales(dtype); }

WeightRounding QuantizationOptions::effective_weight_rounding() const {
  return weight_rounding.value_or(is_static() ? WeightRounding::gptq : WeightRounding::nearest);
}

std::int64_t QuantizationOptions::calibration_trials() const {
  if (is_static()) return calibration_samples;
  return uses_gptq() ? gptq_samples : 0;
}

std::string QuantizationOptions::method_name() const {
  return fmt::format("{}_{}", name_of(quantization_type), name_of(dtype));
}

std::string QuantizationOptions::variant_name() const {
  QuantizationOptions options;
  const OptionList list = list_options(options);
  options = *this;
  return method_name() + list.suffix(Decides::model);
}

OptionList list_options(QuantizationOptions& options) {
  OptionList list;
  // Named by the method itself, so never part of a variant's suffix.
  list.add("quantization_type", options.quantization_type, "How activations are quantized")
      .that_decides(Decides::model)
      .that_comes_to([&options] { return option::value_of(options.quantization_type); },
                     [&options] { return option::value_of(options.quantization_type); });
  list.add("dtype", options.dtype,
           "Number format of the weights; float16 only with dynamic, qint4 and mixed not with static")
      .that_decides(Decides::model)
      .that_comes_to([&options] { return option::value_of(options.dtype); },
                     [&options] { return option::value_of(options.dtype); });
  list.add("bits", options.bits,
           "Mixed only: PATTERN=WIDTH, bits (8 or 4) of the weight matrices whose names in the quantized file match a "
           "shell wildcard; several are separated by commas, the last that matches decides; by default 8")
      .that_decides(Decides::model)
      .that_applies_if([&options] { return options.dtype == Dtype::mixed; })
      .with_tag("bits_{}", [&options] {
        const std::string text = text_of(option::value_of(options.bits));
        return sha256_of_bytes(text.data(), text.size()).substr(0, 8);
      });
  const auto is_static = [&options] { return options.is_static(); };
  list.add("weight_granularity", options.weight_granularity,
           "Dynamic qint8 only: one scale per tensor or per output channel; default: per_tensor")
      .that_decides(Decides::model)
      .that_applies_if([&options] { return options.has_scales(); })
      .that_comes_to([&options] { return name_of(options.effective_granularity()); },
                     [&options] {
                       QuantizationOptions unset = options;
                       unset.weight_granularity.reset();
                       return name_of(unset.effective_granularity());
                     });
  list.add("observer", options.observer, "Static types only: how activation scales are chosen; default: minmax")
      .that_decides(Decides::model)
      .that_applies_if(is_static)
      .that_comes_to([&options] { return name_of(options.effective_observer()); },
                     [] { return name_of(ObserverKind::minmax); });
  list.add("day_layers", options.day_layers, "Quantize the day layers, or keep them in fp32 (float)")
      .that_decides(Decides::model)
      .with_tag("{}_days");
  list.add("calibration_samples", options.calibration_samples,
           "Static types: number of train trials used for calibration")
      .that_decides(Decides::model)
      .that_applies_if(is_static)
      .with_tag("n{}");
  list.add("weight_rounding", options.weight_rounding,
           "To the nearest code, or by GPTQ on train trials; default: gptq with the static types, nearest with dynamic")
      .that_decides(Decides::model)
      .that_applies_if([&options] { return options.has_scales(); })
      .that_comes_to([&options] { return name_of(options.effective_weight_rounding()); },
                     [&options] {
                       QuantizationOptions unset = options;
                       unset.weight_rounding.reset();
                       return name_of(unset.effective_weight_rounding());
                     });
  list.add("gptq_samples", options.gptq_samples,
           "GPTQ only: number of train trials that it uses; for static types at most --calibration_samples")
      .that_decides(Decides::model)
      .that_applies_if([&options] { return options.uses_gptq(); })
      .with_tag("g{}");
  return list;
}

std::vector<QuantizationOptions> all_methods() {
  std::vector<QuantizationOptions> methods(4);
  methods[1].dtype = Dtype::float16;
  methods[2].quantization_type = QuantizationType::static_per_tensor;
  methods[3].quantization_type = QuantizationType::static_per_channel;
  return methods;
}

}  // namespace brainquant
