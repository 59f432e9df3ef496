// What calibration needs of a decoder that runs in fp32. Whoever calibrates is handed one:
// torch/libtorch_calibration.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "brainquant/model/config.h"
#include "model/decoder_weights.h"

namespace brainquant {

/// What a decoder shows of one trial to whoever calibrates. Spans hold for the call only.
class ActivationViewer {
 public:
  virtual ~ActivationViewer() = default;
  virtual void see_step_input(std::span<const float> /*day_output*/) {}                  // [bins * n_input_features]
  virtual void see_hidden(std::int64_t /*layer*/, std::span<const float> /*states*/) {}  // [steps * n_units]
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

class CalibrationBackend {
 public:
  virtual ~CalibrationBackend() = default;
  /// LibTorch's, on which the activations' last bits depend: recorded in the quantized file.
  virtual std::string libtorch_version() const = 0;
  /// Throws WorkError.
  virtual std::unique_ptr<CalibrationDecoder> open(const DecoderConfig& config,
                                                   const DecoderWeights& weights) const = 0;
};

}  // namespace brainquant
