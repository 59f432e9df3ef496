// What calibration needs of others: a decoder that runs in fp32, and GPTQ's linear algebra. Whoever calibrates is
// handed it: torch/libtorch_calibration.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "brainquant/model/config.h"
#include "model/decoder_weights.h"

namespace brainquant {

/// What a decoder shows of one trial to whoever calibrates or compares, some steps at a time. Spans hold for the call
/// only.
class ActivationViewer {
 public:
  virtual ~ActivationViewer() = default;
  virtual void see_step_input(std::span<const float> /*day_output*/) {}                  // [bins * n_input_features]
  virtual void see_hidden(std::int64_t /*layer*/, std::span<const float> /*states*/) {}  // [steps * n_units]
  virtual void see_logits(std::span<const float> /*logits*/) {}                          // [steps * n_classes]
};

class CalibrationDecoder {
 public:
  virtual ~CalibrationDecoder() = default;
  /// Each thread calls it before it observes: a trial then runs on this thread alone, so that the number of threads
  /// cannot change a bit.
  virtual void prepare_thread() const = 0;
  /// Shows one smoothed trial [bins, n_input_features] to `viewer`. May be called from several threads at once. Throws
  /// WorkError.
  virtual void observe(const float* features, std::int64_t bins, std::int64_t session_index,
                       ActivationViewer& viewer) const = 0;
};

/// The values that a matrix [rows, cols] can be rounded to: code * step, lowest <= code <= highest.
struct RoundingGrid {
  int lowest = 0;
  int highest = 0;
  std::int64_t groups = 0;             // of a row
  std::vector<std::int64_t> group_of;  // [cols]: 0 to groups - 1
  std::vector<double> steps;           // [rows, groups], above 0
};

/// H = X^T X of the inputs X [rows, inputs] of one or several matrices, and rounding that keeps their products with
/// such inputs. The number of threads changes no bit.
class InputHessian {
 public:
  virtual ~InputHessian() = default;
  /// Adds rows x [inputs], the first one at `rows`, each `stride` values behind the one before; they may overlap.
  virtual void add(const float* rows, std::int64_t count, std::int64_t stride) = 0;
  /// No rows can be added after it. Adds 1 % of the diagonal's mean to the diagonal, as GPTQ does against weights that
  /// the inputs hardly see. Throws WorkError if H is not finite.
  virtual void factorize() = 0;
  /// After factorize(): the codes [rows, cols] that GPTQ gives `weight`, column after column, each with the error of
  /// those before it made up for as far as it goes, which makes tr((W - Q) H (W - Q)^T) small (Frantar et al., GPTQ,
  /// 2023).
  virtual std::vector<std::int8_t> round(const Matrix& weight, const RoundingGrid& grid) const = 0;
};

/// Those that GPTQ takes; each may be missing where nothing is rounded by it.
struct InputHessians {
  std::unique_ptr<InputHessian> day;                        // smoothed bins, of all sessions
  std::vector<std::unique_ptr<InputHessian>> layer_input;   // per GRU layer
  std::vector<std::unique_ptr<InputHessian>> layer_hidden;  // per GRU layer: its hidden states, h0 first
  std::unique_ptr<InputHessian> out;
};

class CalibrationBackend {
 public:
  virtual ~CalibrationBackend() = default;
  /// LibTorch's, on which the activations' last bits depend: recorded in the quantized file.
  virtual std::string libtorch_version() const = 0;
  /// Throws WorkError.
  virtual std::unique_ptr<CalibrationDecoder> open(const DecoderConfig& config,
                                                   const DecoderWeights& weights) const = 0;
  /// Of no rows yet. It takes 8 * inputs^2 bytes. Throws WorkError.
  virtual std::unique_ptr<InputHessian> make_hessian(std::int64_t inputs, int threads) const = 0;
};

}  // namespace brainquant
