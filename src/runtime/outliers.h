// The part of an INT8 product that 16-bit pair sums have no room for.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/aligned_buffer.h"
#include "runtime/kernels/kernel.h"
#include "runtime/share.h"

namespace brainquant {

/// Excess weight that would overflow a 16-bit pair sum, stored sparsely per half block: the k quads of 8 channels that
/// have any. Its own product, added to that of the dense weights, makes the whole one.
class Outliers {
 public:
  Outliers() = default;

  /// Moves the excess over gemm.pair_limit out of `values` [block][quad][16][4]. None, and `values` as they were, if
  /// more than 1 in 8 of the half blocks' quads have any: multiply_any_tile is then the faster way.
  static std::optional<Outliers> taken_from(std::int8_t* values, std::int64_t block_count, std::int64_t quad_count,
                                            const GemmConfig& gemm);

  /// Those that one tile of the dense product lacks, found once for all its rows.
  class OfTile {
   public:
    /// Adds their product to tile.acc.
    void add_product(const TileArguments& tile) const;

   private:
    friend class Outliers;
    struct Half {
      const std::int8_t* weights;
      const std::int32_t* quads;
      std::int64_t quad_count;
      std::int64_t channel;  // of the tile
    };
    Half halves_[2 * kMostTileBlocks];  // those that have any
    int half_count_ = 0;
    void (*multiply_)(const SparseQuads&) = nullptr;
  };
  OfTile of_tile(Share blocks, Share quads) const;

  const std::vector<std::int64_t>& first() const { return first_; }
  const std::vector<std::int32_t>& quads() const { return quads_; }
  const AlignedBuffer<std::int8_t>& values() const { return values_; }

 private:
  std::vector<std::int64_t> first_;    // [2 * block_count + 1]: where a half block's begin; empty if there are none
  std::vector<std::int32_t> quads_;    // ascending in a half block
  AlignedBuffer<std::int8_t> values_;  // [quads_.size()][8][4]
  std::int64_t quad_count_ = 0;        // of the matrix
  void (*multiply_)(const SparseQuads&) = nullptr;
};

}  // namespace brainquant
