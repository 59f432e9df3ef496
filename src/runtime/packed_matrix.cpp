#include "runtime/packed_matrix.h"

#include <algorithm>
#include <cstring>

namespace brainquant {

namespace {
/// Groups taken at a time when there are more rows than one tile: a tile's weights (4 blocks * 128 groups * 64 bytes)
/// stay in the first-level cache while the rows pass.
constexpr std::int64_t kGroupsAtATime = 128;
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
  TileArguments tile;
  tile.block_stride = weights.block_stride();
  tile.acc_stride = acc_stride;
  for (std::int64_t block = block_begin; block < block_end; block += tile.block_count) {
    tile.block_count = std::min<std::int64_t>(kernel.tile_blocks, block_end - block);
    for (std::int64_t group = group_begin; group < group_end; group += tile.group_count) {
      tile.group_count = std::min(groups_at_a_time, group_end - group);
      tile.weights = weights.values.data() + block * weights.block_stride() + group * kGroupBytes;
      tile.row_offset = group * kGroupInputs;
      for (std::int64_t row = 0; row < row_count; row += tile.row_count) {
        tile.row_count = std::min<std::int64_t>(kernel.tile_rows, row_count - row);
        tile.rows = rows + row;
        tile.acc = acc + row * acc_stride + (block - block_begin) * kBlockChannels;
        kernel.multiply_tile(tile);
      }
    }
  }
}

}  // namespace brainquant
