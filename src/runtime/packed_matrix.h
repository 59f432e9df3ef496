// Weights in a kernel's layout, and products with them.
#pragma once

#include <cstdint>
#include <vector>

#include "quantization/quantized_model.h"
#include "runtime/aligned_buffer.h"
#include "runtime/kernels/kernel.h"
#include "runtime/outliers.h"
#include "runtime/share.h"

namespace brainquant {

inline std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Rows of quantized activations; rows[i] points at row i's input 0, stored with Kernel::storage_offset.
struct ActivationRows {
  const std::uint8_t* const* rows;
  std::int64_t count;
};

/// Where a product goes: [row][stride], the 16 channels of its first block first.
struct Sums {
  std::int32_t* values;
  std::int64_t stride;
};

struct PackedMatrix {
  GemmConfig gemm{};                         // what it is packed for and multiplied by
  std::int64_t block_count = 0;              // of 16 output channels
  std::int64_t quad_count = 0;               // of gemm.kr inputs
  std::int64_t quad_bytes = kQuadBytes;      // of a block's quad
  std::int64_t scale_bytes = 0;              // of a block's group scales, which follow its quads (4 bits)
  std::int64_t run_quads = 0;                // of a run (4 bits)
  AlignedBuffer<std::int8_t> values;         // [block][quad][16][4]; 4 bits: [block][line][16][4], then [group][16]
  AlignedBuffer<std::int32_t> compensation;  // [channel]: what a sum begins with: it takes the storage offset out
  AlignedBuffer<float> scales;               // [channel]; 0 in padding
  AlignedBuffer<float> biases;               // [channel]; 0 in padding

  Outliers outliers;              // `values` and these added up are the weights
  bool within_pair_limit = true;  // else the values take gemm.multiply_any_tile

  std::int64_t block_stride() const { return quad_count * quad_bytes + scale_bytes; }
  std::int64_t channels() const { return block_count * kBlockChannels; }
  Share all_blocks() const { return {0, block_count}; }

  /// The product of `blocks` with whole rows.
  void multiply(Share blocks, const ActivationRows& x, const Sums& sums) const {
    multiply_part(blocks, {0, quad_count}, x, sums);
  }
  /// The same over the inputs of `quads` only. Sums begin anew where quads begin at 0 and go on elsewhere: one call
  /// after the other makes the whole product.
  /// 4-bit weights: quads begin and end at runs.
  void multiply_part(Share blocks, Share quads, const ActivationRows& x, const Sums& sums) const;

  /// Whether many products of `rows` rows each, `all_rows` in all, are faster with weights that are expanded once for
  /// all of them.
  bool pays_to_expand(std::int64_t rows, std::int64_t all_rows) const;
  /// Makes `to` the INT8 matrix that `blocks` of this one expand to, without scales and biases: its products are the
  /// same. Keeps to.values if they have room.
  void expand(Share blocks, PackedMatrix& to) const;

 private:
  std::int64_t quads_in_a_piece() const;
  TileArguments tile_at(Share blocks, Share quads) const;
  void expand_tile(TileArguments& tile) const;
};

struct PackArguments {
  const WeightMatrix& weight;
  const std::vector<float>& bias;
  const std::vector<std::int64_t>& channel_rows;  // channel c of the result is this row of `weight`; -1: padding
  std::int64_t run;                               // inputs come in runs (a bin's features), padded to a multiple of 16
  const GemmConfig& gemm;
  int storage_offset;  // Kernel::storage_offset
};

/// PackedMatrix's members of these names.
struct PackedShape {
  std::int64_t quad_count;
  std::int64_t quad_bytes = kQuadBytes;
  std::int64_t scale_bytes = 0;
  std::int64_t run_quads = 0;
};
/// With every value 0, for a format's packing to fill in.
PackedMatrix empty_packed(const PackArguments& arguments, const PackedShape& shape);

/// The kernel's product for weights of this format. Throws UsageError if kernels have none.
const GemmConfig& gemm_of(const Kernel& kernel, WeightFormat format);

/// Packs `weight` for the kernel's product of its format. Arguments as in PackArguments.
PackedMatrix pack(const WeightMatrix& weight, const std::vector<float>& bias,
                  const std::vector<std::int64_t>& channel_rows, std::int64_t run, const Kernel& kernel);

/// Channels in their own order, padded to whole blocks.
std::vector<std::int64_t> channels_in_order(std::int64_t rows);
/// The gates of a GRU layer interleaved by unit block: [unit block][r, z, n][16].
std::vector<std::int64_t> channels_by_unit_block(std::int64_t units);

}  // namespace brainquant
