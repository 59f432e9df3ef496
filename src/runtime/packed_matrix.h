// INT8 weights in the kernels' layout, and products with them.
#pragma once

#include <cstdint>
#include <vector>

#include "brainquant/quantization/quantized_model.h"
#include "runtime/aligned_buffer.h"
#include "runtime/kernels/kernel.h"

namespace brainquant {

inline std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// What pairs of weights have beyond a kernel's pair_limit, where that is in few groups: they are listed for each half
/// of a block.
struct Outliers {
  std::vector<std::int64_t> first;    // [2 * block_count + 1]: where a half's groups begin; empty if none has any
  std::vector<std::int32_t> groups;   // ascending in a half
  AlignedBuffer<std::int8_t> values;  // [groups.size()][8][4]
};

struct PackedMatrix {
  std::int64_t block_count = 0;       // of 16 output channels
  std::int64_t group_count = 0;       // of 4 inputs
  AlignedBuffer<std::int8_t> values;  // [block][group][16][4]
  AlignedBuffer<std::int32_t> start;  // [channel]: what a sum begins with: it takes the activations' offset out
  AlignedBuffer<float> scales;        // [channel]; 0 in padding
  AlignedBuffer<float> biases;        // [channel]; 0 in padding

  Outliers outliers;              // `values` and these added up are the weights
  bool within_pair_limit = true;  // else the values take the kernel's multiply_any_tile

  std::int64_t block_stride() const { return group_count * kGroupBytes; }
};

/// Packs `weight`. Channel c of the result is row channel_rows[c] (-1: padding). Inputs come in runs of `run` (a bin's
/// features), each padded to a multiple of 16.
PackedMatrix pack(const Int8Matrix& weight, const std::vector<float>& bias,
                  const std::vector<std::int64_t>& channel_rows, std::int64_t run, const Kernel& kernel);

/// Channels in their own order, padded to whole blocks.
std::vector<std::int64_t> channels_in_order(std::int64_t rows);
/// The gates of a GRU layer interleaved by unit block: [unit block][r, z, n][16].
std::vector<std::int64_t> channels_by_unit_block(std::int64_t units);

/// Sets acc [row_count][acc_stride] of blocks [block_begin, block_end) to where sums begin.
void begin_sums(const PackedMatrix& weights, std::int64_t block_begin, std::int64_t block_end, std::int64_t row_count,
                std::int32_t* acc, std::int64_t acc_stride);

/// Adds the products over groups [group_begin, group_end): acc[row][(block - block_begin) * 16 + channel]. rows[i]
/// points at row i's activation of group 0.
void add_products(const Kernel& kernel, const PackedMatrix& weights, std::int64_t block_begin, std::int64_t block_end,
                  std::int64_t group_begin, std::int64_t group_end, const std::uint8_t* const* rows,
                  std::int64_t row_count, std::int32_t* acc, std::int64_t acc_stride);

}  // namespace brainquant
