#include "runtime/packed_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {
/// Quads taken at a time when there are more rows than one tile: a tile's weights (4 blocks * 128 quads * 64 bytes)
/// stay in the first-level cache while the rows pass.
constexpr std::int64_t kQuadsAtATime = 128;
static_assert(kQuadsAtATime % kGroupQuads == 0);
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

const GemmConfig& gemm_of(const Kernel& kernel, WeightFormat format) {
  switch (format) {
    case WeightFormat::int8:
      return kernel.int8;
    case WeightFormat::int4:
      return kernel.int4;
    case WeightFormat::float16:
    case WeightFormat::float32:
      throw UsageError(fmt::format("the native engine's kernels have no product for {} weights", name_of(format)));
  }
  refuse_enumerator(static_cast<int>(format));
}

PackedMatrix pack(const WeightMatrix& weight, const std::vector<float>& bias,
                  const std::vector<std::int64_t>& channel_rows, std::int64_t run, const Kernel& kernel) {
  const GemmConfig& gemm = gemm_of(kernel, format_of(weight));
  return gemm.pack({weight, bias, channel_rows, run, gemm, kernel.storage_offset});
}

PackedMatrix empty_packed(const PackArguments& arguments, const PackedShape& shape) {
  const auto channels = static_cast<std::int64_t>(arguments.channel_rows.size());
  PackedMatrix packed;
  packed.gemm = arguments.gemm;
  packed.block_count = channels / kBlockChannels;
  packed.quad_count = shape.quad_count;
  packed.quad_bytes = shape.quad_bytes;
  packed.scale_bytes = shape.scale_bytes;
  packed.run_quads = shape.run_quads;
  packed.values = AlignedBuffer<std::int8_t>(packed.block_count * packed.block_stride());
  packed.compensation = AlignedBuffer<std::int32_t>(channels);
  packed.scales = AlignedBuffer<float>(channels);
  packed.biases = AlignedBuffer<float>(channels);
  return packed;
}

// No group of 4-bit weights is cut: whole runs where their last group is shorter.
std::int64_t PackedMatrix::quads_in_a_piece() const {
  if (run_quads % kGroupQuads == 0) return kQuadsAtATime;
  return run_quads * std::max<std::int64_t>(1, kQuadsAtATime / run_quads);
}

TileArguments PackedMatrix::tile_at(Share blocks, Share quads) const {
  TileArguments tile = {};
  const std::int8_t* const of_block = values.data() + blocks.begin * block_stride();
  tile.weights = of_block + quads.begin * quad_bytes;
  tile.block_stride = block_stride();
  tile.block_count = blocks.count();
  tile.quad_count = quads.count();
  tile.row_offset = quads.begin * gemm.kr;
  if (run_quads > 0) {
    const std::int64_t groups_in_run = (run_quads + kGroupQuads - 1) / kGroupQuads;
    const std::int64_t group = quads.begin / run_quads * groups_in_run + quads.begin % run_quads / kGroupQuads;
    tile.group_scales =
        reinterpret_cast<const std::uint8_t*>(of_block) + quad_count * quad_bytes + group * kBlockChannels;
    tile.run_quads = run_quads;
    tile.run_position = quads.begin % run_quads;
  }
  return tile;
}

// The tile's weights are then INT8, in memory of this thread's own until its next call.
void PackedMatrix::expand_tile(TileArguments& tile) const {
  thread_local AlignedBuffer<std::int8_t> weights;
  const std::int64_t block_bytes = tile.quad_count * kQuadBytes;
  weights.reserve(tile.block_count * block_bytes);
  gemm.expand(tile, weights.data());
  tile.weights = weights.data();
  tile.block_stride = block_bytes;
}

bool PackedMatrix::pays_to_expand(std::int64_t rows, std::int64_t all_rows) const {
  return gemm.expand != nullptr && rows >= gemm.expanded_from && all_rows >= gemm.expand_from;
}

void PackedMatrix::expand(Share blocks, PackedMatrix& to) const {
  to.gemm = *gemm.expanded;
  to.block_count = blocks.count();
  to.quad_count = quad_count;
  to.values.reserve(blocks.count() * quad_count * kQuadBytes);
  gemm.expand(tile_at(blocks, {0, quad_count}), to.values.data());
  to.compensation.reserve(blocks.count() * kBlockChannels);
  std::copy_n(compensation.data() + blocks.begin * kBlockChannels, blocks.count() * kBlockChannels,
              to.compensation.data());
}

void PackedMatrix::multiply_part(Share blocks, Share quads, const ActivationRows& x, const Sums& sums) const {
  if (quads.begin == 0) {
    const std::int32_t* start = compensation.data() + blocks.begin * kBlockChannels;
    const auto bytes = static_cast<std::size_t>(blocks.count() * kBlockChannels) * sizeof(std::int32_t);
    for (std::int64_t m = 0; m < x.count; ++m) std::memcpy(sums.values + m * sums.stride, start, bytes);
  }
  const bool expands = pays_to_expand(x.count, x.count);
  const GemmConfig& product = expands ? *gemm.expanded : gemm;
  const auto multiply_tile = within_pair_limit ? product.multiply_tile : product.multiply_any_tile;
  const std::int64_t tile_blocks = product.nr / kBlockChannels;
  const std::int64_t quads_at_a_time = x.count <= product.mr ? quads.count() : quads_in_a_piece();
  for (std::int64_t block = blocks.begin; block < blocks.end; block += tile_blocks) {
    const std::int64_t block_end = std::min(block + tile_blocks, blocks.end);
    for (std::int64_t quad = quads.begin; quad < quads.end; quad += quads_at_a_time) {
      const std::int64_t quad_end = std::min(quad + quads_at_a_time, quads.end);
      TileArguments tile = tile_at({block, block_end}, {quad, quad_end});
      if (expands) expand_tile(tile);
      tile.acc_stride = sums.stride;
      const Outliers::OfTile apart = outliers.of_tile({block, block_end}, {quad, quad_end});
      for (std::int64_t row = 0; row < x.count; row += tile.row_count) {
        tile.row_count = std::min<std::int64_t>(product.mr, x.count - row);
        tile.rows = x.rows + row;
        tile.acc = sums.values + row * sums.stride + (block - blocks.begin) * kBlockChannels;
        multiply_tile(tile);
        apart.add_product(tile);
      }
    }
  }
}

}  // namespace brainquant
