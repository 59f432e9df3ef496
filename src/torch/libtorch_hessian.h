// GPTQ's linear algebra on LibTorch.
#pragma once

#include <memory>

#include "quantization/calibration_backend.h"

namespace brainquant {

/// Arguments and errors as in CalibrationBackend::make_hessian.
std::unique_ptr<InputHessian> make_libtorch_hessian(std::int64_t inputs, int threads);

}  // namespace brainquant
