// The decoder that calibration runs: fp32 on LibTorch.
#pragma once

namespace brainquant {

class CalibrationBackend;

/// There is one; it holds nothing.
const CalibrationBackend& libtorch_calibration();

}  // namespace brainquant
