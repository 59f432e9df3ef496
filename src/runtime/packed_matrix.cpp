#include "runtime/packed_matrix.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

namespace brainquant {

namespace {
/// Groups taken at a time when there are more rows than one tile: a tile's weights (4 blocks * 128 groups * 64 bytes)
/// stay in the first-level cache while the rows pass.
constexpr std::int64_t kGroupsAtATime = 128;

/// A half block's group in so many may be listed for a kernel with a pair_limit. A listed one takes about twice its
/// time in a tile, and is more to read; the product without the limit takes 4 instructions instead of 3.
constexpr std::int64_t kMostListed = 8;

bool pair_fits(int a, int b, int limit) {
  return std::max(a, 0) + std::max(b, 0) <= limit && std::min(a, 0) + std::min(b, 0) >= -limit;
}

/// Of 8 channels and one group.
bool all_pairs_fit(const std::int8_t* weights, int limit) {
  bool all = true;
  for (std::int64_t i = 0; i < kListedBytes; i += 2) all &= pair_fits(weights[i], weights[i + 1], limit);
  return all;
}

/// Moves what the pairs have beyond the limit from `weights` to `beyond`: off the larger of the two.
void split_pairs(std::int8_t* weights, int limit, std::int8_t* beyond) {
  for (std::int64_t i = 0; i < kListedBytes; i += 2) {
    const int a = weights[i], b = weights[i + 1];
    if (pair_fits(a, b, limit)) continue;
    const bool first_is_larger = std::abs(a) >= std::abs(b);
    const int larger = first_is_larger ? a : b, smaller = first_is_larger ? b : a;
    const int kept = (larger > 0 ? limit : -limit) - smaller;
    const std::int64_t at = first_is_larger ? i : i + 1;
    weights[at] = static_cast<std::int8_t>(kept);
    beyond[at] = static_cast<std::int8_t>(larger - kept);
  }
}

/// Calls visit(half, group, its 8 x 4 weights) for those that have a pair beyond the limit.
template <typename Visit>
void for_each_outlier(PackedMatrix& packed, int limit, Visit visit) {
  for (std::int64_t half = 0; half < 2 * packed.block_count; ++half) {
    std::int8_t* weights = packed.values.data() + half / 2 * packed.block_stride() + half % 2 * kListedBytes;
    for (std::int64_t group = 0; group < packed.group_count; ++group, weights += kGroupBytes) {
      if (!all_pairs_fit(weights, limit)) visit(half, group, weights);
    }
  }
}

void take_outliers(PackedMatrix& packed, int limit) {
  std::int64_t count = 0;
  for_each_outlier(packed, limit, [&](std::int64_t, std::int64_t, std::int8_t*) { ++count; });
  packed.within_pair_limit = count * kMostListed <= 2 * packed.block_count * packed.group_count;
  if (count == 0 || !packed.within_pair_limit) return;
  Outliers& outliers = packed.outliers;
  outliers.first.assign(static_cast<std::size_t>(2 * packed.block_count + 1), 0);
  outliers.values = AlignedBuffer<std::int8_t>(count * kListedBytes);
  for_each_outlier(packed, limit, [&](std::int64_t half, std::int64_t group, std::int8_t* weights) {
    split_pairs(weights, limit,
                outliers.values.data() + static_cast<std::int64_t>(outliers.groups.size()) * kListedBytes);
    outliers.groups.push_back(static_cast<std::int32_t>(group));
    ++outliers.first[static_cast<std::size_t>(half) + 1];
  });
  std::partial_sum(outliers.first.begin(), outliers.first.end(), outliers.first.begin());
}

/// The listed groups that a tile's products lack, found once for all its rows.
class TileOutliers {
 public:
  TileOutliers(const PackedMatrix& weights, std::int64_t block, std::int64_t block_count, std::int64_t group_begin,
               std::int64_t group_end) {
    const Outliers& outliers = weights.outliers;
    if (outliers.groups.empty()) return;
    const auto all = outliers.groups.begin();
    for (std::int64_t half = 0; half < 2 * block_count; ++half) {
      const auto at = static_cast<std::size_t>(2 * block + half);
      auto begin = all + outliers.first[at], end = all + outliers.first[at + 1];
      if (group_begin > 0) begin = std::lower_bound(begin, end, group_begin);
      if (group_end < weights.group_count) end = std::lower_bound(begin, end, group_end);
      if (begin == end) continue;
      halves_[half_count_++] = {outliers.values.data() + (begin - all) * kListedBytes, &*begin, end - begin,
                                half * kListedChannels};
    }
  }
  void add(const Kernel& kernel, const TileArguments& tile) const {
    for (int i = 0; i < half_count_; ++i) {
      const Half& half = halves_[i];
      kernel.multiply_listed({half.weights, half.groups, tile.rows, tile.row_count, half.group_count,
                              tile.acc + half.channel, tile.acc_stride});
    }
  }

 private:
  struct Half {
    const std::int8_t* weights;
    const std::int32_t* groups;
    std::int64_t group_count;
    std::int64_t channel;  // of the tile
  };
  Half halves_[2 * kMostTileBlocks];  // those that have any
  int half_count_ = 0;
};

}  // namespace

std::vector<std::int64_t> channels_in_order(std::int64_t rows) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(round_up(rows, kBlockChannels)), -1);
  for (std::int64_t r = 0; r < rows; ++r) order[static_cast<std::size_t>(r)] = r;
  return order;
}

std::vector<std::int64_t> channels_by_unit_block(std::int64_t units) {
  std::vector<std::int64_t> order;
  for (std::int64_t first = 0; first < units; first += kBlockChannels) {
    for (std::int64_t gate = 0; gate < 3; ++gate) {
      for (std::int64_t u = first; u < first + kBlockChannels; ++u) order.push_back(u < units ? gate * units + u : -1);
    }
  }
  return order;
}

PackedMatrix pack(const Int8Matrix& weight, const std::vector<float>& bias,
                  const std::vector<std::int64_t>& channel_rows, std::int64_t run, const Kernel& kernel) {
  const auto channels = static_cast<std::int64_t>(channel_rows.size());
  const std::int64_t runs = weight.cols / run;
  const std::int64_t padded_run = round_up(run, kBlockChannels);
  PackedMatrix packed;
  packed.block_count = channels / kBlockChannels;
  packed.group_count = runs * padded_run / kGroupInputs;
  packed.values = AlignedBuffer<std::int8_t>(packed.block_count * packed.block_stride());
  packed.start = AlignedBuffer<std::int32_t>(channels);
  packed.scales = AlignedBuffer<float>(channels);
  packed.biases = AlignedBuffer<float>(channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::int64_t row = channel_rows[static_cast<std::size_t>(c)];
    if (row < 0) continue;
    const std::int8_t* from = weight.row(row);
    std::int8_t* channel =
        packed.values.data() + (c / kBlockChannels) * packed.block_stride() + (c % kBlockChannels) * kGroupInputs;
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < weight.cols; ++i) sum += from[i];
    for (std::int64_t r = 0; r < runs; ++r) {
      std::int8_t* to = channel + r * padded_run / kGroupInputs * kGroupBytes;
      for (std::int64_t i = 0; i < run; i += kGroupInputs, to += kGroupBytes) {
        std::memcpy(to, from + r * run + i, static_cast<std::size_t>(std::min(kGroupInputs, run - i)));
      }
    }
    packed.start[c] = -kernel.activation_offset * sum;
    packed.scales[c] = weight.scale(row);
    packed.biases[c] = bias[static_cast<std::size_t>(row)];
  }
  if (kernel.pair_limit > 0) take_outliers(packed, kernel.pair_limit);
  if (!packed.within_pair_limit) std::fill_n(packed.start.data(), channels, 0);
  return packed;
}

void begin_sums(const PackedMatrix& weights, std::int64_t block_begin, std::int64_t block_end, std::int64_t row_count,
                std::int32_t* acc, std::int64_t acc_stride) {
  const std::int32_t* start = weights.start.data() + block_begin * kBlockChannels;
  const auto bytes = static_cast<std::size_t>((block_end - block_begin) * kBlockChannels) * sizeof(std::int32_t);
  for (std::int64_t m = 0; m < row_count; ++m) std::memcpy(acc + m * acc_stride, start, bytes);
}

void add_products(const Kernel& kernel, const PackedMatrix& weights, std::int64_t block_begin, std::int64_t block_end,
                  std::int64_t group_begin, std::int64_t group_end, const std::uint8_t* const* rows,
                  std::int64_t row_count, std::int32_t* acc, std::int64_t acc_stride) {
  const std::int64_t groups_at_a_time = row_count <= kernel.tile_rows ? group_end - group_begin : kGroupsAtATime;
  const auto multiply = weights.within_pair_limit ? kernel.multiply_tile : kernel.multiply_any_tile;
  TileArguments tile;
  tile.block_stride = weights.block_stride();
  tile.acc_stride = acc_stride;
  for (std::int64_t block = block_begin; block < block_end; block += tile.block_count) {
    tile.block_count = std::min<std::int64_t>(kernel.tile_blocks, block_end - block);
    for (std::int64_t group = group_begin; group < group_end; group += tile.group_count) {
      tile.group_count = std::min(groups_at_a_time, group_end - group);
      tile.weights = weights.values.data() + block * weights.block_stride() + group * kGroupBytes;
      tile.row_offset = group * kGroupInputs;
      const TileOutliers outliers(weights, block, tile.block_count, group, group + tile.group_count);
      for (std::int64_t row = 0; row < row_count; row += tile.row_count) {
        tile.row_count = std::min<std::int64_t>(kernel.tile_rows, row_count - row);
        tile.rows = rows + row;
        tile.acc = acc + row * acc_stride + (block - block_begin) * kBlockChannels;
        multiply(tile);
        outliers.add(kernel, tile);
      }
    }
  }
}

}  // namespace brainquant
