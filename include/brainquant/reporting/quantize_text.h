// A quantization for a terminal.
#pragma once

#include <string>

#include "brainquant/quantization/quantize_job.h"

namespace brainquant {

/// The table of layers with parameters, bits, granularity, bytes and signal-to-quantization-noise; bytes before and
/// after. In a dry run the stored tensors as well; for a skipped job that it was.
std::string quantize_text(const QuantizeJob& job, const QuantizeOutcome& outcome);

}  // namespace brainquant
