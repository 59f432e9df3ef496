// A model packed for a kernel: what both ways of running it (native_decode.cpp, native_stream.cpp) share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "quantization/quantized_model.h"
#include "quantization/weight_source.h"
#include "runtime/numerics.h"
#include "runtime/packed_matrix.h"
#include "runtime/share.h"
#include "runtime/thread_team.h"

namespace brainquant {

struct DayScratch;

struct NativeModel {
  /// Packs the matrices of `weights`, which are `model`'s; its own may be empty. The team's members take them one by
  /// one. Throws what `weights` throws.
  NativeModel(const QuantizedModel& model, const WeightSource& weights, const Kernel& kernel, ThreadTeam& team);

  const Kernel& kernel;
  DecoderConfig config;
  std::int64_t padded_features;  // of a bin, in rows of bytes and floats
  std::int64_t padded_units;
  std::int64_t unit_blocks;    // of 16 units
  std::int64_t gate_channels;  // 3 * padded_units, interleaved by unit block
  std::vector<PackedMatrix> day_residuals;
  std::vector<Matrix> day_weights;  // instead of the residuals, where left in fp32
  std::vector<std::vector<float>> day_biases;
  std::vector<PackedMatrix> weight_ih;
  std::vector<PackedMatrix> weight_hh;
  PackedMatrix out_weight;
  std::vector<float> h0;  // [padded_units]
  std::optional<ActivationScales> activation_scales;

  bool is_static() const { return activation_scales.has_value(); }
  /// Bytes of one row of layer 0's input.
  std::int64_t step_row_bytes() const { return config.bins_per_step() * padded_features; }
  numerics::RowScale static_step_scale() const { return numerics::static_row_scale(activation_scales->step_input); }

  /// Channels of the widest tile that layers' input products take.
  std::int64_t largest_nr() const {
    std::int64_t largest = 0;
    for (const PackedMatrix& weight : weight_ih) largest = std::max<std::int64_t>(largest, weight.gemm.nr);
    return largest;
  }

  /// The scale of a hidden row whose largest magnitude is `maximum`, which only dynamic models look at.
  numerics::RowScale hidden_scale(std::size_t layer, float maximum) const {
    return is_static() ? numerics::static_row_scale(activation_scales->hidden[layer])
                       : numerics::dynamic_row_scale(maximum);
  }
  numerics::RowScale day_scale(const float* x) const {
    return is_static() ? numerics::static_row_scale(activation_scales->day_input)
                       : numerics::dynamic_row_scale(kernel.absolute_maximum(x, padded_features));
  }

  /// Day layer of `bins` smoothed bins x [bins, padded_features] (zero beyond the features) -> y, same shape; channels
  /// of `blocks` only, 16 each. A day layer in fp32 is done whole, by the share that holds block 0.
  void day_layer(std::int64_t session, const float* x, std::int64_t bins, Share blocks, DayScratch& scratch,
                 float* y) const;
};

/// What one member needs for day_layer of up to `bins` bins.
struct DayScratch {
  DayScratch(std::int64_t bins, std::int64_t padded_features)
      : rows(bins * padded_features),
        acc(bins * padded_features),
        row_at(static_cast<std::size_t>(bins)),
        scales(static_cast<std::size_t>(bins)) {}
  AlignedBuffer<std::uint8_t> rows;  // [bins, padded_features]
  AlignedBuffer<std::int32_t> acc;   // [bins, padded_features]
  std::vector<const std::uint8_t*> row_at;
  std::vector<float> scales;
};

}  // namespace brainquant
