#include "runtime/packed_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {
/// Quads taken at a time when there are more rows than one tile: a tile's weights (4 blocks * 128 quads * 64 bytes)
/// stay in the first-level cache while the rows pass.
constexpr std::int64_t kQuadsAtATime = 128;
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
    case WeightFormat::int4:  // expanded before it is packed
      return kernel.int8;
    case WeightFormat::float16:
    case WeightFormat::float32:
      throw UsageError(fmt::format("the native engine's kernels have no product for {} weights", name_of(format)));
  }
  refuse_enumerator(static_cast<int>(format));
}

PackedMatrix pack(const WeightMatrix& weight, const std::vector<float>& bias,
                  const std::vector<std::int64_t>& channel_rows, std::int64_t run, const Kernel& kernel) {
  if (const auto* int4 = std::get_if<Int4Matrix>(&weight)) {
    return pack(expanded(*int4), bias, channel_rows, run, kernel);
  }
  const GemmConfig& gemm = gemm_of(kernel, format_of(weight));
  return gemm.pack({weight, bias, channel_rows, run, gemm, kernel.storage_offset});
}

PackedMatrix pack_int8(const PackArguments& arguments) {
  const auto& weight = std::get<Int8Matrix>(arguments.weight);
  const std::int64_t run = arguments.run;
  const auto channels = static_cast<std::int64_t>(arguments.channel_rows.size());
  const std::int64_t runs = weight.cols / run;
  const std::int64_t padded_run = round_up(run, kBlockChannels);
  PackedMatrix packed;
  packed.gemm = arguments.gemm;
  packed.block_count = channels / kBlockChannels;
  packed.quad_count = runs * padded_run / kQuadInputs;
  packed.values = AlignedBuffer<std::int8_t>(packed.block_count * packed.block_stride());
  packed.compensation = AlignedBuffer<std::int32_t>(channels);
  packed.scales = AlignedBuffer<float>(channels);
  packed.biases = AlignedBuffer<float>(channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::int64_t row = arguments.channel_rows[static_cast<std::size_t>(c)];
    if (row < 0) continue;
    const std::int8_t* from = weight.row(row);
    std::int8_t* channel =
        packed.values.data() + (c / kBlockChannels) * packed.block_stride() + (c % kBlockChannels) * kQuadInputs;
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < weight.cols; ++i) sum += from[i];
    for (std::int64_t r = 0; r < runs; ++r) {
      std::int8_t* to = channel + r * padded_run / kQuadInputs * kQuadBytes;
      for (std::int64_t i = 0; i < run; i += kQuadInputs, to += kQuadBytes) {
        std::memcpy(to, from + r * run + i, static_cast<std::size_t>(std::min(kQuadInputs, run - i)));
      }
    }
    packed.compensation[c] = -arguments.storage_offset * sum;
    packed.scales[c] = weight.scale(row);
    packed.biases[c] = arguments.bias[static_cast<std::size_t>(row)];
  }
  if (packed.gemm.pair_limit > 0) {
    std::optional<Outliers> outliers =
        Outliers::taken_from(packed.values.data(), packed.block_count, packed.quad_count, packed.gemm);
    packed.within_pair_limit = outliers.has_value();
    if (outliers) packed.outliers = std::move(*outliers);
  }
  // multiply_any_tile adds products of q itself.
  if (!packed.within_pair_limit) std::fill_n(packed.compensation.data(), channels, 0);
  return packed;
}

void PackedMatrix::multiply_part(Share blocks, Share quads, const ActivationRows& x, const Sums& sums) const {
  if (quads.begin == 0) {
    const std::int32_t* start = compensation.data() + blocks.begin * kBlockChannels;
    const auto bytes = static_cast<std::size_t>(blocks.count() * kBlockChannels) * sizeof(std::int32_t);
    for (std::int64_t m = 0; m < x.count; ++m) std::memcpy(sums.values + m * sums.stride, start, bytes);
  }
  const std::int64_t tile_blocks = gemm.nr / kBlockChannels;
  const std::int64_t quads_at_a_time = x.count <= gemm.mr ? quads.count() : kQuadsAtATime;
  const auto multiply_tile = within_pair_limit ? gemm.multiply_tile : gemm.multiply_any_tile;
  TileArguments tile;
  tile.block_stride = block_stride();
  tile.acc_stride = sums.stride;
  for (std::int64_t block = blocks.begin; block < blocks.end; block += tile.block_count) {
    tile.block_count = std::min(tile_blocks, blocks.end - block);
    for (std::int64_t quad = quads.begin; quad < quads.end; quad += tile.quad_count) {
      tile.quad_count = std::min(quads_at_a_time, quads.end - quad);
      tile.weights = values.data() + block * block_stride() + quad * kQuadBytes;
      tile.row_offset = quad * gemm.kr;
      const Outliers::OfTile apart =
          outliers.of_tile({block, block + tile.block_count}, {quad, quad + tile.quad_count});
      for (std::int64_t row = 0; row < x.count; row += tile.row_count) {
        tile.row_count = std::min<std::int64_t>(gemm.mr, x.count - row);
        tile.rows = x.rows + row;
        tile.acc = sums.values + row * sums.stride + (block - blocks.begin) * kBlockChannels;
        multiply_tile(tile);
        apart.add_product(tile);
      }
    }
  }
}

}  // namespace brainquant
