// Whether two quantized models are the same in all that a file holds.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "quantization/quantized_model.h"

namespace brainquant::testing {

inline bool same(const WeightMatrix& a, const WeightMatrix& b) {
  if (a.index() != b.index() || rows_of(a) != rows_of(b) || cols_of(a) != cols_of(b)) return false;
  if (const auto* int8 = std::get_if<Int8Matrix>(&a)) {
    return int8->values == std::get<Int8Matrix>(b).values && int8->scales == std::get<Int8Matrix>(b).scales;
  }
  if (const auto* int4 = std::get_if<Int4Matrix>(&a)) {
    const auto& other = std::get<Int4Matrix>(b);
    return int4->run == other.run && int4->codes == other.codes && int4->group_scales == other.group_scales &&
           int4->scales == other.scales;
  }
  if (const auto* half = std::get_if<Float16Matrix>(&a)) return half->values == std::get<Float16Matrix>(b).values;
  return std::get<Matrix>(a).values == std::get<Matrix>(b).values;
}

inline bool same(const QuantizedModel& a, const QuantizedModel& b) {
  const DecoderConfig &c = a.config, &d = b.config;
  if (c.n_input_features != d.n_input_features || c.n_units != d.n_units || c.n_layers != d.n_layers ||
      c.n_classes != d.n_classes || c.patch_size != d.patch_size || c.patch_stride != d.patch_stride ||
      c.sessions != d.sessions || c.smoothing.smooth_data != d.smoothing.smooth_data ||
      c.smoothing.smooth_kernel_std != d.smoothing.smooth_kernel_std ||
      c.smoothing.smooth_kernel_size != d.smoothing.smooth_kernel_size) {
    return false;
  }
  if (a.options.method_name() != b.options.method_name() ||
      a.options.effective_granularity() != b.options.effective_granularity() ||
      a.options.day_layers != b.options.day_layers ||
      a.options.effective_weight_rounding() != b.options.effective_weight_rounding() ||
      a.options.gptq_samples != b.options.gptq_samples || a.options.bits != b.options.bits ||
      a.options.effective_observer() != b.options.effective_observer() ||
      a.options.calibration_samples != b.options.calibration_samples) {
    return false;
  }
  if (a.provenance.tool_version != b.provenance.tool_version ||
      a.provenance.source_sha256 != b.provenance.source_sha256 ||
      a.provenance.args_sha256 != b.provenance.args_sha256 ||
      a.provenance.libtorch_version != b.provenance.libtorch_version ||
      a.provenance.calibration_sha256 != b.provenance.calibration_sha256 ||
      a.provenance.val_per != b.provenance.val_per ||
      a.provenance.calibration_trials != b.provenance.calibration_trials) {
    return false;
  }
  if (a.activation_scales.has_value() != b.activation_scales.has_value()) return false;
  if (a.activation_scales && (a.activation_scales->day_input != b.activation_scales->day_input ||
                              a.activation_scales->step_input != b.activation_scales->step_input ||
                              a.activation_scales->hidden != b.activation_scales->hidden)) {
    return false;
  }
  if (a.day_residuals.size() != b.day_residuals.size() || a.day_weights.size() != b.day_weights.size() ||
      a.gru.size() != b.gru.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.day_residuals.size(); ++i) {
    if (!same(a.day_residuals[i], b.day_residuals[i])) return false;
  }
  for (std::size_t i = 0; i < a.day_weights.size(); ++i) {
    if (a.day_weights[i].values != b.day_weights[i].values) return false;
  }
  for (std::size_t k = 0; k < a.gru.size(); ++k) {
    const QuantizedGruLayer &x = a.gru[k], &y = b.gru[k];
    if (!same(x.weight_ih, y.weight_ih) || !same(x.weight_hh, y.weight_hh) || x.bias_ih != y.bias_ih ||
        x.bias_hh != y.bias_hh)
      return false;
  }
  return a.day_biases == b.day_biases && same(a.out_weight, b.out_weight) && a.out_bias == b.out_bias && a.h0 == b.h0;
}

inline void expect_same_model(const QuantizedModel& found, const QuantizedModel& expected) {
  EXPECT_TRUE(same(found, expected));
}

}  // namespace brainquant::testing
