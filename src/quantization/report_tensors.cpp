#include "quantization/report_tensors.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "quantization/quantizer.h"
#include "quantization/weight_codec.h"

namespace brainquant {

namespace {

/// Sums of squares over one matrix or a group of them.
struct Energy {
  double signal = 0;
  double noise = 0;

  void add(const Matrix& original, const Matrix& stored, const bool identity_was_removed) {
    for (std::int64_t r = 0; r < original.rows; ++r) {
      for (std::int64_t c = 0; c < original.cols; ++c) {
        // What counts is the whole day weight, not what remains of it without the identity.
        const double whole = original.row(r)[c] + (identity_was_removed && r == c ? 1.0 : 0.0);
        const double lost = static_cast<double>(original.row(r)[c]) - stored.row(r)[c];
        signal += whole * whole;
        noise += lost * lost;
      }
    }
  }

  double sqnr_db() const {
    return noise == 0 ? std::numeric_limits<double>::infinity() : 10.0 * std::log10(signal / noise);
  }
};

TensorReport described(std::string name, const WeightMatrix& weight) {
  const WeightCodec& codec = codec_of(weight);
  const std::optional<Granularity> granularity = codec.granularity(weight);
  TensorReport report;
  report.name = std::move(name);
  report.parameters = rows_of(weight) * cols_of(weight);
  report.bits = codec.bits;
  report.granularity = granularity ? name_of(*granularity) : "-";
  for (const TensorRecord& record : codec.records("", weight)) report.bytes += record.bytes();
  return report;
}

TensorReport of_matrix(std::string name, const Matrix& original, const WeightMatrix& stored) {
  TensorReport report = described(std::move(name), stored);
  Energy energy;
  energy.add(original, dequantize(stored), false);
  report.sqnr_db = energy.sqnr_db();
  return report;
}

TensorReport of_day_weights(const Checkpoint& checkpoint, const QuantizedModel& model) {
  const std::vector<Matrix>& days = checkpoint.weights.day_weights;
  const bool quantized = !model.day_residuals.empty();
  TensorReport total;
  Energy energy;
  for (std::size_t d = 0; d < days.size(); ++d) {
    TensorReport one = described("", quantized ? model.day_residuals[d] : WeightMatrix(model.day_weights[d]));
    total.parameters += one.parameters;
    total.bytes += one.bytes;
    total.bits = one.bits;
    total.granularity = one.granularity;
    if (quantized) energy.add(day_residual(days[d]), dequantize(model.day_residuals[d]), true);
  }
  total.name = fmt::format("day_weights ({})", days.size());
  total.sqnr_db = energy.sqnr_db();
  return total;
}

TensorReport left_in_fp32(std::string name, std::int64_t parameters) {
  return {std::move(name), parameters, 32, "-", parameters * 4, std::numeric_limits<double>::infinity()};
}

}  // namespace

double day_sqnr_db(const Matrix& residual, const WeightMatrix& stored) {
  Energy energy;
  energy.add(residual, dequantize(stored), true);
  return energy.sqnr_db();
}

std::vector<TensorReport> report_tensors(const Checkpoint& checkpoint, const QuantizedModel& model) {
  const DecoderWeights& weights = checkpoint.weights;
  std::vector<TensorReport> reports;
  reports.push_back(of_day_weights(checkpoint, model));
  std::int64_t in_biases = static_cast<std::int64_t>(weights.out_bias.size() + weights.h0.size());
  for (const std::vector<float>& bias : weights.day_biases) in_biases += static_cast<std::int64_t>(bias.size());
  for (std::size_t k = 0; k < weights.gru.size(); ++k) {
    const GruLayerWeights& layer = weights.gru[k];
    reports.push_back(of_matrix(fmt::format("gru.weight_ih_l{}", k), layer.weight_ih, model.gru[k].weight_ih));
    reports.push_back(of_matrix(fmt::format("gru.weight_hh_l{}", k), layer.weight_hh, model.gru[k].weight_hh));
    in_biases += static_cast<std::int64_t>(layer.bias_ih.size() + layer.bias_hh.size());
  }
  reports.push_back(of_matrix("out.weight", weights.out_weight, model.out_weight));
  reports.push_back(left_in_fp32("biases and h0", in_biases));
  return reports;
}

}  // namespace brainquant
