// The table of kernels: the inner loops of the native engine, one set per instruction set, all giving the bits of
// docs/numerics.md.
//
// Weights lie in blocks of 16 output channels: in a block, for each group of 4 inputs, 16 x 4 bytes. A vpdpbusd (or its
// equal) then takes a group of 4 activations, broadcast, times one 64-byte line of weights. Another weight width would
// be another member of this table with a packing of its own.
//
// Included by sources compiled for different instruction sets, so there is no inline code here.
#pragma once

#include <cstdint>

namespace brainquant {

inline constexpr std::int64_t kBlockChannels = 16;
inline constexpr std::int64_t kGroupInputs = 4;
inline constexpr std::int64_t kGroupBytes = kBlockChannels * kGroupInputs;
inline constexpr int kMostTileBlocks = 4;  // no kernel has more
inline constexpr std::int64_t kListedChannels = 8;
inline constexpr std::int64_t kListedBytes = kListedChannels * kGroupInputs;

/// A tile of an INT8 product: rows 1 to tile_rows, blocks 1 to tile_blocks.
struct TileArguments {
  const std::int8_t* weights;       // first block, at the first group
  std::int64_t block_stride;        // bytes from one block to the next
  const std::uint8_t* const* rows;  // activations of each row at the first group, offset by Kernel::activation_offset
  std::int64_t row_offset;          // bytes added to each row's pointer, which gives a multiple of 4
  std::int64_t row_count;
  std::int64_t block_count;
  std::int64_t group_count;
  std::int32_t* acc;  // [row_count][acc_stride], 16 per block; added to
  std::int64_t acc_stride;
};

/// Products of 8 output channels with groups that are listed one by one: rows 1 to tile_rows.
struct ListedGroups {
  const std::int8_t* weights;       // [group_count][8][4]
  const std::int32_t* groups;       // the group of each 8 x 4 weights
  const std::uint8_t* const* rows;  // activations of each row at group 0, offset as in TileArguments
  std::int64_t row_count;
  std::int64_t group_count;
  std::int32_t* acc;  // [row_count][acc_stride]; 8 are added to
  std::int64_t acc_stride;
};

struct Kernel {
  const char* name;
  /// The CPU features that its file is compiled for, named as in GCC's -m options and separated by spaces.
  const char* needs;
  /// Activations are stored as q + activation_offset in a byte: 128 where the product instruction takes unsigned
  /// activations, 0 (two's complement) elsewhere.
  int activation_offset;
  int tile_rows;
  int tile_blocks;

  /// 0, or: the products of a pair of weights (of inputs 2i and 2i + 1) are added in 16 bits, so the magnitudes of
  /// those of one sign may add up to no more than this for multiply_tile and multiply_listed.
  int pair_limit = 0;

  void (*multiply_tile)(const TileArguments&);
  // Where there is a pair_limit:
  /// Takes any weights and is slower. Adds products of q itself, so that no offset is to be taken out of the sums.
  void (*multiply_any_tile)(const TileArguments&) = nullptr;
  void (*multiply_listed)(const ListedGroups&) = nullptr;

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
  /// q = rne(clamp(value * inverse)), stored with the offset.
  void (*quantize)(const float* values, float inverse, std::int64_t count, std::uint8_t* out) = nullptr;

  /// Whether this CPU has all that the kernel needs.
  bool is_supported() const;
};

}  // namespace brainquant
