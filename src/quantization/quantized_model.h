// A quantized decoder in memory: what the quantizer makes, the quantized file holds and the engines run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "brainquant/model/config.h"
#include "brainquant/quantization/scheme.h"
#include "model/decoder_weights.h"
#include "quantization/weight_format.h"

namespace brainquant {

/// INT8, row-major [rows, cols], a row per output channel; values -127 to 127, zero point 0:
/// real = values[r][c] * scale(r).
struct Int8Matrix {
  static constexpr WeightFormat kFormat = WeightFormat::int8;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::int8_t> values;
  std::vector<float> scales;  // one for the whole matrix, or one a row

  float scale(std::int64_t row) const { return scales.size() == 1 ? scales[0] : scales[static_cast<std::size_t>(row)]; }
  const std::int8_t* row(std::int64_t r) const { return values.data() + r * cols; }
};

/// IEEE binary16, row-major [rows, cols], as bit patterns.
struct Float16Matrix {
  static constexpr WeightFormat kFormat = WeightFormat::float16;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::uint16_t> values;
};

/// 4 bits, a row per output channel, a scale for each group of inputs and one for each row:
/// real = code(r, c) * group_scale(r, group_of(c)) * scales[r]. Codes are -8 to 7, group scales 1 to 15, so their
/// product is a value of an INT8 matrix (-120 to 105) whose scales are those of the rows: expanded().
struct Int4Matrix {
  static constexpr WeightFormat kFormat = WeightFormat::int4;
  static constexpr std::int64_t kGroupInputs = 32;
  static constexpr int kLowestCode = -8;
  static constexpr int kHighestCode = 7;
  static constexpr int kLargestGroupScale = 15;

  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t run = 0;  // WeightShape::run: groups are counted within it, its last one may be shorter
  // Two nibbles to a byte, the low one first, each row padded to a byte with a 0.
  std::vector<std::uint8_t> codes;         // [rows, code_row_bytes()], code + 8
  std::vector<std::uint8_t> group_scales;  // [rows, group_row_bytes()]
  std::vector<float> scales;               // [rows]

  std::int64_t groups_in_run() const { return (run + kGroupInputs - 1) / kGroupInputs; }
  std::int64_t groups() const { return run == 0 ? 0 : cols / run * groups_in_run(); }
  std::int64_t group_of(std::int64_t col) const { return col / run * groups_in_run() + col % run / kGroupInputs; }
  std::int64_t code_row_bytes() const { return (cols + 1) / 2; }
  std::int64_t group_row_bytes() const { return (groups() + 1) / 2; }
  int code(std::int64_t row, std::int64_t col) const {
    return nibble(codes.data() + row * code_row_bytes(), col) + kLowestCode;
  }
  int group_scale(std::int64_t row, std::int64_t group) const {
    return nibble(group_scales.data() + row * group_row_bytes(), group);
  }

  static int nibble(const std::uint8_t* row, std::int64_t i) { return row[i / 2] >> (i % 2 * 4) & 15; }
  static void set_nibble(std::uint8_t* row, std::int64_t i, int value) {
    const auto shift = static_cast<int>(i % 2 * 4);
    row[i / 2] = static_cast<std::uint8_t>((row[i / 2] & ~(15 << shift)) | value << shift);
  }
};

/// A weight matrix [output channels, input] in one of the formats, one type each; Matrix is float32.
using WeightMatrix = std::variant<Matrix, Float16Matrix, Int8Matrix, Int4Matrix>;

/// What a file's reader knows of a weight matrix before reading it.
struct WeightShape {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t run = 0;  // inputs that belong together, of which cols is a multiple: layer 0's are a bin's features, of
                         // which a patch has several; elsewhere all
};

WeightFormat format_of(const WeightMatrix& weight);
std::int64_t rows_of(const WeightMatrix& weight);
std::int64_t cols_of(const WeightMatrix& weight);
/// The INT8 matrix, a scale a row, that 4-bit weights are.
Int8Matrix expanded(const Int4Matrix& weight);

struct QuantizedGruLayer {
  WeightMatrix weight_ih;  // [3 * n_units, input size], gates r, z, n
  WeightMatrix weight_hh;  // [3 * n_units, n_units]
  std::vector<float> bias_ih;
  std::vector<float> bias_hh;
};

/// Scales of the activations that enter a product (static types): real = q * scale, zero point 0.
struct ActivationScales {
  float day_input = 1;        // smoothed features
  float step_input = 1;       // the day layer's output, which the patches are made of
  std::vector<float> hidden;  // per GRU layer: its hidden state, h0 included
};

/// Which fp32 parameters a model was made of: SHA-256 over their values, little-endian float32.
struct ParameterHashes {
  /// Of everything but the day layers: of each GRU layer weight_ih, weight_hh, bias_ih and bias_hh, then out.weight,
  /// out.bias and h0, each row-major.
  std::string shared;
  std::vector<std::string> days;  // of each session: its weight [in, out], row-major, and its bias
};
ParameterHashes parameter_hashes(const DecoderWeights& weights);

/// A day layer that was put into the file after it was made, in the order in which that was done.
struct AddedSession {
  std::string session;
  std::string source_sha256;  // of the best_checkpoint that it came from
  std::string tool_version;   // that put it there
  bool replaced = false;      // the session was there before
};

/// What made the file. No paths, times or thread counts: the same input gives the same bytes.
struct Provenance {
  std::string tool_version;
  std::string source_sha256;  // of best_checkpoint
  std::string args_sha256;    // of args.yaml; "" in files of version 1
  // Of calibration, which static types and GPTQ need.
  std::optional<std::string> libtorch_version;    // which it runs in
  std::vector<std::string> calibration_trials;    // "t15.2023.08.11/trial_0003", in the order used
  std::optional<std::string> calibration_sha256;  // of those trials' features: calibration.h
  std::optional<double> val_per;                  // what the checkpoint says of itself
  std::optional<ParameterHashes> parameters;      // not in files of earlier versions
  std::vector<AddedSession> added_sessions;
};

struct QuantizedModel {
  DecoderConfig config;
  QuantizationOptions options;
  Provenance provenance;

  /// Per session (W - I) transposed, [output feature, input feature]: y = softsign(x + x @ (W - I) + b). Empty when the
  /// day layers are left in fp32.
  std::vector<WeightMatrix> day_residuals;
  /// Per session W as in the checkpoint, when the day layers are left in fp32.
  std::vector<Matrix> day_weights;
  std::vector<std::vector<float>> day_biases;
  std::vector<QuantizedGruLayer> gru;
  WeightMatrix out_weight;  // [n_classes, n_units]
  std::vector<float> out_bias;
  std::vector<float> h0;
  std::optional<ActivationScales> activation_scales;  // static types

  /// The formats of the weight matrices, each once, in the enumeration's order. Day layers left in fp32 don't count.
  std::vector<WeightFormat> weight_formats() const;
};

}  // namespace brainquant
