#include "quantization/quantizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "brainquant/version.h"
#include "quantization/bits_rule.h"
#include "quantization/weight_codec.h"

namespace brainquant {

namespace {

constexpr const char* kLayersStage = "layers";

/// Quantizes one matrix after the other.
class Quantizer {
 public:
  Quantizer(const QuantizationOptions& options, const RunContext& context) : options_(options), context_(context) {}

  WeightMatrix operator()(const std::string& name, const Matrix& weight, std::int64_t run,
                          const InputHessian* hessian) const {
    context_.cancel.check();
    const WeightFormat format = format_of(options_, name);
    const WeightCodec& codec = codec_of(format);
    WeightMatrix quantized = codec.quantize(weight, run, options_.effective_granularity());
    if (options_.uses_gptq()) {
      if (hessian == nullptr) throw UsageError(fmt::format("GPTQ of {} needs the inputs of calibration", name));
      if (codec.fit_scales != nullptr) codec.fit_scales(quantized, weight);
      codec.set_codes(quantized, hessian->round(weight, codec.grid(quantized)));
    }
    return quantized;
  }

 private:
  const QuantizationOptions& options_;
  const RunContext& context_;
};

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
                        std::optional<std::string> calibration_sha256, std::optional<std::string> libtorch_version,
                        InputHessians hessians, const RunContext& context) {
  options.validate();
  if (options.is_static() != scales.has_value()) {
    throw UsageError(
        fmt::format("{} {} activation scales", options.method_name(), options.is_static() ? "needs" : "takes no"));
  }
  const DecoderWeights& weights = checkpoint.weights;
  require_rules_to_match(options, weights);
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
  model.provenance.parameters = parameter_hashes(weights);
  const Quantizer quantized(options, context);
  // The largest takes as much memory as all else: each goes as soon as its matrices are done.
  const auto taken = [&](std::unique_ptr<InputHessian>& hessian) {
    if (hessian) hessian->factorize();
    return std::move(hessian);
  };
  hessians.layer_input.resize(weights.gru.size());
  hessians.layer_hidden.resize(weights.gru.size());
  const auto layers = static_cast<std::int64_t>(weights.gru.size());
  if (options.day_layers == DayLayers::keep_float) {
    model.day_weights = weights.day_weights;
  } else {
    context.progress.update(kLayersStage, 0, layers + 1);
    const std::unique_ptr<InputHessian> of_days = taken(hessians.day);
    for (std::size_t d = 0; d < weights.day_weights.size(); ++d) {
      const Matrix residual = day_residual(weights.day_weights[d]);
      model.day_residuals.push_back(
          quantized(fmt::format("day_residuals.{}", d), residual, residual.cols, of_days.get()));
    }
  }
  model.day_biases = weights.day_biases;
  for (std::int64_t k = 0; k < layers; ++k) {
    context.progress.update(kLayersStage, k + 1, layers + 1);
    const GruLayerWeights& layer = weights.gru[static_cast<std::size_t>(k)];
    QuantizedGruLayer stored;
    stored.weight_ih = quantized(fmt::format("gru.weight_ih_l{}", k), layer.weight_ih, model.config.run_of_layer(k),
                                 taken(hessians.layer_input[static_cast<std::size_t>(k)]).get());
    stored.weight_hh = quantized(fmt::format("gru.weight_hh_l{}", k), layer.weight_hh, layer.weight_hh.cols,
                                 taken(hessians.layer_hidden[static_cast<std::size_t>(k)]).get());
    stored.bias_ih = layer.bias_ih;
    stored.bias_hh = layer.bias_hh;
    model.gru.push_back(std::move(stored));
  }
  context.progress.update(kLayersStage, layers + 1, layers + 1);
  model.out_weight = quantized("out.weight", weights.out_weight, weights.out_weight.cols, taken(hessians.out).get());
  model.out_bias = weights.out_bias;
  model.h0 = weights.h0;
  model.activation_scales = std::move(scales);
  return model;
}

}  // namespace brainquant
