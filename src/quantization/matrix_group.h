// The weight matrices as one chooses their bits: each by itself, the day layers of all sessions as one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/decoder_weights.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// The day layers' pattern; --bits takes it, as it takes the other groups' names.
inline constexpr const char* kDayLayersGroup = "day_residuals.*";

/// A pattern of --bits: a matrix's name in the quantized file, or kDayLayersGroup.
struct MatrixGroup {
  std::string name;
  std::int64_t parameters = 0;
};

/// All that are quantized: day layers (unless they are kept in fp32), the layers' weight_ih and weight_hh, out.
std::vector<MatrixGroup> matrix_groups(const DecoderConfig& config, DayLayers day_layers);

/// Copies one group's matrices. Throws UsageError for a name that is no group's.
void copy_group(const std::string& group, const DecoderWeights& from, DecoderWeights& to);
void copy_group(const std::string& group, const QuantizedModel& from, QuantizedModel& to);

}  // namespace brainquant
