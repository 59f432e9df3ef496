// A quantization for a terminal.
#pragma once

#include <string>

#include "brainquant/quantization/add_session.h"
#include "brainquant/quantization/quantize_job.h"

namespace brainquant {

/// The table of layers with parameters, bits, granularity, bytes and signal-to-quantization-noise; bytes before and
/// after. In a dry run the stored tensors as well; for a skipped job that it was.
std::string quantize_text(const QuantizeJob& job, const QuantizeOutcome& outcome);

/// What became of a session that was put into a quantized file, and how much its scale clips.
std::string add_session_text(const AddSessionJob& job, const AddSessionOutcome& outcome);

}  // namespace brainquant
