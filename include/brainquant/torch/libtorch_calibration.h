// What calibration runs: the fp32 decoder and GPTQ's linear algebra on LibTorch.
#pragma once

namespace brainquant {

class CalibrationBackend;

/// There is one; it holds nothing.
const CalibrationBackend& libtorch_calibration();

}  // namespace brainquant
