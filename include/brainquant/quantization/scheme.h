// The four methods and their options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/support/enum_names.h"
#include "brainquant/support/option_list.h"

namespace brainquant {

enum class QuantizationType { dynamic_range, static_per_tensor, static_per_channel };
enum class Dtype { qint8, float16, qint4, mixed };
enum class Granularity { per_tensor, per_channel };
enum class ObserverKind { minmax, percentile, histogram };
enum class DayLayers { quantize, keep_float };
enum class WeightRounding { nearest, gptq };

// Names as in flags and files: "dynamic" "static" "static_per_channel"; "qint8" "float16" "qint4" "mixed"; "per_tensor"
// "per_channel"; "minmax" "percentile" "histogram"; "quantize" "float"; "nearest" "gptq". parse_* throw UsageError on
// any other name.
template <>
std::span<const EnumName<QuantizationType>> enum_names();
template <>
std::span<const EnumName<Dtype>> enum_names();
template <>
std::span<const EnumName<Granularity>> enum_names();
template <>
std::span<const EnumName<ObserverKind>> enum_names();
template <>
std::span<const EnumName<DayLayers>> enum_names();
template <>
std::span<const EnumName<WeightRounding>> enum_names();
std::string name_of(QuantizationType value);
std::string name_of(Dtype value);
std::string name_of(Granularity value);
std::string name_of(ObserverKind value);
std::string name_of(DayLayers value);
std::string name_of(WeightRounding value);
QuantizationType parse_quantization_type(const std::string& name);
Dtype parse_dtype(const std::string& name);
Granularity parse_granularity(const std::string& name);
ObserverKind parse_observer(const std::string& name);
DayLayers parse_day_layers(const std::string& name);
WeightRounding parse_weight_rounding(const std::string& name);

/// What decides a quantized model's bytes, besides the checkpoint and the calibration data.
struct QuantizationOptions {
  QuantizationType quantization_type = QuantizationType::dynamic_range;
  Dtype dtype = Dtype::qint8;
  std::optional<Granularity> weight_granularity;  // dynamic qint8 only
  std::vector<std::string> bits;                  // mixed only; "PATTERN=WIDTH" each: src/quantization/bits_rule.h
  std::optional<ObserverKind> observer;           // static types only
  DayLayers day_layers = DayLayers::quantize;
  std::int64_t calibration_samples = 1000;        // static types only; trials
  std::optional<WeightRounding> weight_rounding;  // weights with scales
  std::int64_t gptq_samples = 64;                 // GPTQ only; trials, at most those that calibrate

  /// Throws UsageError naming the options that contradict each other.
  void validate() const;
  bool is_static() const { return quantization_type != QuantizationType::dynamic_range; }
  /// Whether there is a choice of granularity: dynamic qint8. Elsewhere the type or the dtype says it.
  bool chooses_granularity() const { return !is_static() && dtype == Dtype::qint8; }
  /// Granularity of the INT8 weights that results from type and options.
  Granularity effective_granularity() const;
  /// The observer that results from the options (static types).
  ObserverKind effective_observer() const;
  /// Whether some weights have 4 bits.
  bool has_4_bit_weights() const;
  /// Whether weights have scales, so that how they are rounded is a choice: all but FP16.
  bool has_scales() const;
  /// The rounding of weights that results from type and options: GPTQ where there is calibration anyway.
  WeightRounding effective_weight_rounding() const;
  bool uses_gptq() const { return has_scales() && effective_weight_rounding() == WeightRounding::gptq; }
  /// Whether trials of the train files are read: for activation scales or for GPTQ.
  bool needs_calibration() const { return is_static() || uses_gptq(); }
  /// How many are asked for; 0 without calibration.
  std::int64_t calibration_trials() const;
  /// "dynamic_qint8", "dynamic_float16", "static_qint8", "static_per_channel_qint8"; "dynamic_qint4",
  /// "static_per_channel_qint4", "dynamic_mixed", "static_per_channel_mixed".
  std::string method_name() const;
  /// The method's name and every option that is not as by default, in the order of list_options(): "static_qint8",
  /// "static_qint8-histogram-float_days-n200". Two variants never have the same name.
  std::string variant_name() const;
};

/// The options, each with its flag; they refer to `options`.
OptionList list_options(QuantizationOptions& options);

/// The four documented methods, in the document's order.
std::vector<QuantizationOptions> all_methods();

}  // namespace brainquant
