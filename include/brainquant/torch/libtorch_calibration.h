// The decoder that calibration runs: fp32 on LibTorch.
#pragma once

#include "brainquant/quantization/calibration_backend.h"

namespace brainquant {

/// There is one; it holds nothing.
const CalibrationBackend& libtorch_calibration();

}  // namespace brainquant
