#include "runtime/outliers.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace brainquant {

namespace {

/// At most 1 in 8 of the half blocks' quads is stored apart: one takes about twice its time in a tile, and is more to
/// read, while multiply_any_tile takes 4 instructions instead of 3.
constexpr std::int64_t kMostSparse = 8;

bool pair_fits(int a, int b, int limit) {
  return std::max(a, 0) + std::max(b, 0) <= limit && std::min(a, 0) + std::min(b, 0) >= -limit;
}

/// Of a half block's quad.
bool all_pairs_fit(const std::int8_t* weights, int limit) {
  bool all = true;
  for (std::int64_t i = 0; i < kHalfQuadBytes; i += 2) all &= pair_fits(weights[i], weights[i + 1], limit);
  return all;
}

/// Moves what the pairs have beyond the limit from `weights` to `excess`: off the larger of the two.
void split_pairs(std::int8_t* weights, int limit, std::int8_t* excess) {
  for (std::int64_t i = 0; i < kHalfQuadBytes; i += 2) {
    const int a = weights[i], b = weights[i + 1];
    if (pair_fits(a, b, limit)) continue;
    const bool first_is_larger = std::abs(a) >= std::abs(b);
    const int larger = first_is_larger ? a : b, smaller = first_is_larger ? b : a;
    const int kept = (larger > 0 ? limit : -limit) - smaller;
    const std::int64_t at = first_is_larger ? i : i + 1;
    weights[at] = static_cast<std::int8_t>(kept);
    excess[at] = static_cast<std::int8_t>(larger - kept);
  }
}

/// Calls visit(half, quad, its 8 x 4 weights) for those that have a pair beyond the limit.
template <typename Visit>
void for_each_outlier(std::int8_t* values, std::int64_t block_count, std::int64_t quad_count, int limit, Visit visit) {
  for (std::int64_t half = 0; half < 2 * block_count; ++half) {
    std::int8_t* weights = values + half / 2 * quad_count * kQuadBytes + half % 2 * kHalfQuadBytes;
    for (std::int64_t quad = 0; quad < quad_count; ++quad, weights += kQuadBytes) {
      if (!all_pairs_fit(weights, limit)) visit(half, quad, weights);
    }
  }
}

}  // namespace

std::optional<Outliers> Outliers::taken_from(std::int8_t* values, std::int64_t block_count, std::int64_t quad_count,
                                             const GemmConfig& gemm) {
  const int limit = gemm.pair_limit;
  std::int64_t count = 0;
  for_each_outlier(values, block_count, quad_count, limit, [&](std::int64_t, std::int64_t, std::int8_t*) { ++count; });
  if (count * kMostSparse > 2 * block_count * quad_count) return std::nullopt;
  Outliers outliers;
  if (count == 0) return outliers;
  outliers.quad_count_ = quad_count;
  outliers.multiply_ = gemm.multiply_sparse;
  outliers.first_.assign(static_cast<std::size_t>(2 * block_count + 1), 0);
  outliers.values_ = AlignedBuffer<std::int8_t>(count * kHalfQuadBytes);
  for_each_outlier(values, block_count, quad_count, limit,
                   [&](std::int64_t half, std::int64_t quad, std::int8_t* weights) {
                     const auto at = static_cast<std::int64_t>(outliers.quads_.size());
                     split_pairs(weights, limit, outliers.values_.data() + at * kHalfQuadBytes);
                     outliers.quads_.push_back(static_cast<std::int32_t>(quad));
                     ++outliers.first_[static_cast<std::size_t>(half) + 1];
                   });
  std::partial_sum(outliers.first_.begin(), outliers.first_.end(), outliers.first_.begin());
  return outliers;
}

Outliers::OfTile Outliers::of_tile(Share blocks, Share quads) const {
  OfTile tile;
  if (quads_.empty()) return tile;
  tile.multiply_ = multiply_;
  const auto all = quads_.begin();
  for (std::int64_t half = 2 * blocks.begin; half < 2 * blocks.end; ++half) {
    const auto at = static_cast<std::size_t>(half);
    auto begin = all + first_[at], end = all + first_[at + 1];
    if (quads.begin > 0) begin = std::lower_bound(begin, end, quads.begin);
    if (quads.end < quad_count_) end = std::lower_bound(begin, end, quads.end);
    if (begin == end) continue;
    tile.halves_[tile.half_count_++] = {values_.data() + (begin - all) * kHalfQuadBytes, &*begin, end - begin,
                                        (half - 2 * blocks.begin) * kHalfChannels};
  }
  return tile;
}

void Outliers::OfTile::add_product(const TileArguments& tile) const {
  for (int i = 0; i < half_count_; ++i) {
    const Half& half = halves_[i];
    multiply_({half.weights, half.quads, tile.rows, tile.row_count, half.quad_count, tile.acc + half.channel,
               tile.acc_stride});
  }
}

}  // namespace brainquant
