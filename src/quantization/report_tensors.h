// How well a quantized model keeps each tensor of its checkpoint.
#pragma once

#include <vector>

#include "brainquant/quantization/tensor_report.h"
#include "model/checkpoint.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// Of one day layer, whose `residual` (day_residual()) is stored: signal is the whole weight, the identity included.
double day_sqnr_db(const Matrix& residual, const WeightMatrix& stored);

std::vector<TensorReport> report_tensors(const Checkpoint& checkpoint, const QuantizedModel& model);

}  // namespace brainquant
