#include "brainquant/torch/libtorch_calibration.h"

#include "quantization/calibration_backend.h"
#include "torch/float_decoder.h"
#include "torch/libtorch_environment.h"
#include "torch/libtorch_hessian.h"

namespace brainquant {

namespace {

class LibTorchCalibrationDecoder : public CalibrationDecoder {
 public:
  LibTorchCalibrationDecoder(const DecoderConfig& config, const DecoderWeights& weights) : decoder_(config, weights) {}

  void prepare_thread() const override { set_libtorch_threads(1); }
  void observe(const float* features, std::int64_t bins, std::int64_t session_index,
               ActivationViewer& viewer) const override {
    decoder_.observe({features, bins, session_index}, viewer);
  }

 private:
  FloatDecoder decoder_;
};

class LibTorchCalibration : public CalibrationBackend {
 public:
  std::string libtorch_version() const override { return brainquant::libtorch_version(); }
  std::unique_ptr<CalibrationDecoder> open(const DecoderConfig& config, const DecoderWeights& weights) const override {
    return std::make_unique<LibTorchCalibrationDecoder>(config, weights);
  }
  std::unique_ptr<InputHessian> make_hessian(std::int64_t inputs, int threads) const override {
    return make_libtorch_hessian(inputs, threads);
  }
};

}  // namespace

const CalibrationBackend& libtorch_calibration() {
  static const LibTorchCalibration calibration;
  return calibration;
}

}  // namespace brainquant
