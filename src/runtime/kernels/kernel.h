// The table of kernels: the inner loops of the native engine, one set per instruction set, all giving the bits of
// docs/numerics.md.
//
// INT8 weights lie in blocks of 16 output channels: in a block, for each k quad (4 inputs), 16 x 4 bytes. A vpdpbusd
// (or its equal) then takes a quad of activations, broadcast, times one 64-byte line of weights. 4-bit weights lie two
// quads to a line, the first in the low nibbles as code + 8, the second in the high ones as signed codes, with a
// block's group scales behind its lines. Another weight format is another GemmConfig in Kernel, with a packing of its
// own.
//
// Included by sources compiled for different instruction sets, so there is no inline code here.
#pragma once

#include <cstdint>

namespace brainquant {

inline constexpr std::int64_t kBlockChannels = 16;
inline constexpr std::int64_t kQuadInputs = 4;
inline constexpr std::int64_t kQuadBytes = kBlockChannels * kQuadInputs;
// 4-bit weights: a group of 32 inputs is 8 k quads; a 64-byte line has 2 of them, the first in its low nibbles.
inline constexpr std::int64_t kGroupQuads = 8;
inline constexpr std::int64_t kLineQuads = 2;
inline constexpr int kMostTileBlocks = 4;  // no kernel has more
inline constexpr std::int64_t kHalfChannels = kBlockChannels / 2;
inline constexpr std::int64_t kHalfQuadBytes = kHalfChannels * kQuadInputs;

/// A tile of a product: 1 to mr rows, 1 to nr / 16 blocks.
struct TileArguments {
  const std::int8_t* weights;       // first block, at the first k quad
  std::int64_t block_stride;        // bytes from one block to the next
  const std::uint8_t* const* rows;  // activations of each row at the first quad, stored with Kernel::storage_offset
  std::int64_t row_offset;          // bytes added to each row's pointer, which gives a multiple of 4
  std::int64_t row_count;
  std::int64_t block_count;
  std::int64_t quad_count;
  std::int32_t* acc;  // [row_count][acc_stride], 16 per block; added to
  std::int64_t acc_stride;
  // Of 4-bit weights.
  const std::uint8_t* group_scales = nullptr;  // first block's [group][16], from the group of the first k quad on
  std::int64_t run_quads = 0;                  // k quads of a run, a multiple of 4: groups are counted within it
  std::int64_t run_position = 0;               // of the first k quad in its run, a multiple of kGroupQuads
};

/// A product of the 8 channels of a half block with some k quads only: 1 to mr rows.
struct SparseQuads {
  const std::int8_t* weights;       // [quad_count][8][4]
  const std::int32_t* quads;        // which quad each 8 x 4 weights are of
  const std::uint8_t* const* rows;  // activations of each row at quad 0, stored as in TileArguments
  std::int64_t row_count;
  std::int64_t quad_count;
  std::int32_t* acc;  // [row_count][acc_stride]; 8 are added to
  std::int64_t acc_stride;
};

struct PackedMatrix;
struct PackArguments;
/// INT8 weights in the layout above (packed_matrix.h).
PackedMatrix pack_int8(const PackArguments& arguments);
/// 4-bit weights: for each block its lines, then its group scales, a byte each (packed_matrix.h).
PackedMatrix pack_int4(const PackArguments& arguments);

/// How a kernel multiplies by weights of one format: the packing and the tiles that read it.
struct GemmConfig {
  const char* name;  // of the weight format
  int mr;            // most rows of a tile
  int nr;            // most output channels of a tile, a multiple of 16
  int kr;            // inputs of a channel that lie side by side
  PackedMatrix (*pack)(const PackArguments&);

  /// 0, or: the products of a pair of weights (of inputs 2i and 2i + 1) are added in 16 bits, so the magnitudes of
  /// those of one sign may add up to no more than this for multiply_tile and multiply_sparse.
  int pair_limit = 0;

  void (*multiply_tile)(const TileArguments&);
  // Where there is a pair_limit:
  /// Takes any weights and is slower. Adds products of q itself, so that its sums take no compensation.
  void (*multiply_any_tile)(const TileArguments&) = nullptr;
  void (*multiply_sparse)(const SparseQuads&) = nullptr;

  // 4-bit weights, where INT8's product is faster once there are rows enough to pay for an expansion. By measurement
  // (benchmarks/kernels): a product of expanded_from rows is faster from weights that are expanded already, and
  // expanding them costs as much as is saved in expand_from rows.
  /// Writes the INT8 weights of a tile, [block][k quad][16][4], to `to`.
  void (*expand)(const TileArguments&, std::int8_t* to) = nullptr;
  const GemmConfig* expanded = nullptr;  // what multiplies them
  std::int64_t expanded_from = 0;
  std::int64_t expand_from = 0;
};

struct Kernel {
  const char* name;
  /// The CPU features that its file is compiled for, named as in GCC's -m options and separated by spaces.
  const char* needs;
  /// Activations are stored as q + storage_offset in a byte: 128 where the product instruction takes unsigned
  /// activations, 0 (two's complement) elsewhere. Their zero point is 0 all the same.
  int storage_offset;

  GemmConfig int8;
  GemmConfig int4;  // the bits of `int8` on the expanded matrix

  // Elementwise parts, of elementwise.h; every count is a multiple of 16.

  /// out = float(acc) * (row_scale * scales) + biases.
  void (*affine)(const std::int32_t* acc, float row_scale, const float* scales, const float* biases, std::int64_t count,
                 float* out) = nullptr;
  /// out = softsign(affine + x).
  void (*day_output)(const std::int32_t* acc, float row_scale, const float* scales, const float* biases, const float* x,
                     std::int64_t count, float* out) = nullptr;
  /// One step of `unit_count` units: acc, scales and biases of the recurrent product and gi lie as [unit block][r, z,
  /// n][16]. h is updated in place.
  void (*gates)(const std::int32_t* acc, float row_scale, const float* scales, const float* biases, const float* gi,
                std::int64_t unit_count, float* h) = nullptr;
  float (*absolute_maximum)(const float* values, std::int64_t count) = nullptr;
  /// q = rne(clamp(value * inverse)), stored with storage_offset.
  void (*quantize)(const float* values, float inverse, std::int64_t count, std::uint8_t* out) = nullptr;

  /// Whether this CPU has all that the kernel needs.
  bool is_supported() const;
};

}  // namespace brainquant
