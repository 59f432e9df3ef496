#include "quantization/quantizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "brainquant/version.h"
#include "quantization/weight_codec.h"

namespace brainquant {

namespace {

WeightMatrix quantize_weight(const Matrix& weight, const QuantizationOptions& options) {
  return codec_of(format_of(options.dtype)).quantize(weight, options.effective_granularity());
}

}  // namespace

Matrix dequantize(const WeightMatrix& weight) { return codec_of(weight).dequantize(weight); }

Matrix day_residual(const Matrix& day_weight) {
  Matrix result{day_weight.cols, day_weight.rows, {}};
  result.values.resize(day_weight.values.size());
  constexpr std::int64_t kTile = 32;  // transposed by tiles: a column at a time misses the cache at every value
  for (std::int64_t r0 = 0; r0 < day_weight.rows; r0 += kTile) {
    for (std::int64_t c0 = 0; c0 < day_weight.cols; c0 += kTile) {
      for (std::int64_t r = r0; r < std::min(r0 + kTile, day_weight.rows); ++r) {
        for (std::int64_t c = c0; c < std::min(c0 + kTile, day_weight.cols); ++c) {
          result.row(c)[r] = day_weight.row(r)[c] - (r == c ? 1.0f : 0.0f);
        }
      }
    }
  }
  return result;
}

QuantizedModel quantize(const Checkpoint& checkpoint, const QuantizationOptions& options,
                        std::optional<ActivationScales> scales, std::vector<std::string> calibration_trials,
                        std::optional<std::string> calibration_sha256, std::optional<std::string> libtorch_version) {
  options.validate();
  if (options.is_static() != scales.has_value()) {
    throw UsageError(
        fmt::format("{} {} activation scales", options.method_name(), options.is_static() ? "needs" : "takes no"));
  }
  const DecoderWeights& weights = checkpoint.weights;
  QuantizedModel model;
  model.config = checkpoint.config;
  model.options = options;
  model.provenance.tool_version = kVersion;
  model.provenance.source_sha256 = checkpoint.sha256;
  model.provenance.args_sha256 = checkpoint.args_sha256;
  model.provenance.libtorch_version = std::move(libtorch_version);
  model.provenance.calibration_trials = std::move(calibration_trials);
  model.provenance.calibration_sha256 = std::move(calibration_sha256);
  model.provenance.val_per = checkpoint.val_per;
  if (options.day_layers == DayLayers::keep_float) {
    model.day_weights = weights.day_weights;
  } else {
    for (const Matrix& day : weights.day_weights) {
      model.day_residuals.push_back(quantize_weight(day_residual(day), options));
    }
  }
  model.day_biases = weights.day_biases;
  for (const GruLayerWeights& layer : weights.gru) {
    model.gru.push_back({quantize_weight(layer.weight_ih, options), quantize_weight(layer.weight_hh, options),
                         layer.bias_ih, layer.bias_hh});
  }
  model.out_weight = quantize_weight(weights.out_weight, options);
  model.out_bias = weights.out_bias;
  model.h0 = weights.h0;
  model.activation_scales = std::move(scales);
  return model;
}

}  // namespace brainquant
