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

namespace {

/// Puts the codes of one channel's inputs [first, first + count) into its lines, 8 inputs a line; returns their sum.
std::int32_t pack_codes(const Int4Matrix& weight, std::int64_t row, std::int64_t first, std::int64_t count,
                        std::uint8_t* to) {
  constexpr std::int64_t kLineInputs = kLineQuads * kQuadInputs;
  const std::uint8_t* const codes = weight.codes.data() + row * weight.code_row_bytes();
  std::int32_t sum = 0;
  if (first % 2 == 0 && count % kLineInputs == 0) {
    for (const std::uint8_t* from = codes + first / 2; count > 0; count -= kLineInputs, from += 4, to += kQuadBytes) {
      to[0] = static_cast<std::uint8_t>((from[0] & 15) | from[2] << 4);
      to[1] = static_cast<std::uint8_t>(from[0] >> 4 | (from[2] & 0xf0));
      to[2] = static_cast<std::uint8_t>((from[1] & 15) | from[3] << 4);
      to[3] = static_cast<std::uint8_t>(from[1] >> 4 | (from[3] & 0xf0));
      for (int k = 0; k < 4; ++k) sum += (from[k] & 15) + (from[k] >> 4);
      sum += static_cast<std::int32_t>(kLineInputs) * Int4Matrix::kLowestCode;
    }
    return sum;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const int stored = Int4Matrix::nibble(codes, first + i);
    std::uint8_t& byte = to[i / kLineInputs * kQuadBytes + i % kQuadInputs];
    byte =
        static_cast<std::uint8_t>(i % kLineInputs < kQuadInputs ? (byte & 0xf0) | stored : (byte & 15) | stored << 4);
    sum += stored + Int4Matrix::kLowestCode;
  }
  return sum;
}

}  // namespace

PackedMatrix pack_int4(const PackArguments& arguments) {
  const auto& weight = std::get<Int4Matrix>(arguments.weight);
  const std::int64_t run = arguments.run;
  const auto channels = static_cast<std::int64_t>(arguments.channel_rows.size());
  const std::int64_t runs = weight.cols / run;
  const std::int64_t groups_in_run = weight.groups_in_run();
  PackedMatrix packed;
  packed.gemm = arguments.gemm;
  packed.block_count = channels / kBlockChannels;
  packed.run_quads = round_up(run, kBlockChannels) / kQuadInputs;
  packed.quad_count = runs * packed.run_quads;
  packed.quad_bytes = kQuadBytes / kLineQuads;
  packed.scale_bytes = round_up(runs * groups_in_run * kBlockChannels, kQuadBytes);
  packed.values = AlignedBuffer<std::int8_t>(packed.block_count * packed.block_stride());
  packed.compensation = AlignedBuffer<std::int32_t>(channels);
  packed.scales = AlignedBuffer<float>(channels);
  packed.biases = AlignedBuffer<float>(channels);
  constexpr std::uint8_t kZeroCodes = 0x88;  // stored as code + 8
  auto* const bytes = reinterpret_cast<std::uint8_t*>(packed.values.data());
  for (std::int64_t b = 0; b < packed.block_count; ++b) {
    std::fill_n(bytes + b * packed.block_stride(), packed.quad_count * packed.quad_bytes, kZeroCodes);
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::int64_t row = arguments.channel_rows[static_cast<std::size_t>(c)];
    if (row < 0) continue;
    std::uint8_t* const block = bytes + (c / kBlockChannels) * packed.block_stride();
    std::uint8_t* const group_scales = block + packed.quad_count * packed.quad_bytes + c % kBlockChannels;
    std::int32_t sum = 0;
    std::int64_t group = 0;
    for (std::int64_t r = 0; r < runs; ++r) {
      for (std::int64_t first = 0; first < run; first += Int4Matrix::kGroupInputs, ++group) {
        const std::int64_t count = std::min(Int4Matrix::kGroupInputs, run - first);
        const int group_scale = weight.group_scale(row, group);
        group_scales[group * kBlockChannels] = static_cast<std::uint8_t>(group_scale);
        const std::int64_t line = (r * packed.run_quads + first / kQuadInputs) / kLineQuads;
        std::uint8_t* const to = block + line * kQuadBytes + c % kBlockChannels * kQuadInputs;
        sum += group_scale * pack_codes(weight, row, r * run + first, count, to);
      }
    }
    packed.compensation[c] = -arguments.storage_offset * sum;
    packed.scales[c] = weight.scales[static_cast<std::size_t>(row)];
    packed.biases[c] = arguments.bias[static_cast<std::size_t>(row)];
  }
  return packed;
}

void PackedMatrix::multiply_expanded(Share blocks, Share quads, const ActivationRows& x, const Sums& sums) const {
  const std::int64_t tile_blocks = gemm.expanded->nr / kBlockChannels;
  const std::int64_t piece = quads_in_a_piece();
  thread_local AlignedBuffer<std::int8_t> values_of_tile;
  if (values_of_tile.size() < tile_blocks * piece * kQuadBytes) {
    values_of_tile = AlignedBuffer<std::int8_t>(tile_blocks * piece * kQuadBytes);
  }
  for (std::int64_t block = blocks.begin; block < blocks.end; block += tile_blocks) {
    for (std::int64_t quad = quads.begin; quad < quads.end; quad += piece) {
      TileArguments tile = tile_at(block, quad);
      tile.block_count = std::min(tile_blocks, blocks.end - block);
      tile.quad_count = std::min(piece, quads.end - quad);
      gemm.expand(tile, values_of_tile.data());
      tile.weights = values_of_tile.data();
      tile.block_stride = tile.quad_count * kQuadBytes;
      tile.acc_stride = sums.stride;
      for (std::int64_t row = 0; row < x.count; row += tile.row_count) {
        tile.row_count = std::min<std::int64_t>(gemm.expanded->mr, x.count - row);
        tile.rows = x.rows + row;
        tile.acc = sums.values + row * sums.stride + (block - blocks.begin) * kBlockChannels;
        gemm.expanded->multiply_tile(tile);
      }
    }
  }
}

// Whole runs of 4-bit weights, so that no group is cut.
std::int64_t PackedMatrix::quads_in_a_piece() const {
  return run_quads > 0 ? run_quads * std::max<std::int64_t>(1, kQuadsAtATime / run_quads) : kQuadsAtATime;
}

TileArguments PackedMatrix::tile_at(std::int64_t block, std::int64_t quad) const {
  TileArguments tile = {};
  const std::int8_t* const of_block = values.data() + block * block_stride();
  tile.weights = of_block + quad * quad_bytes;
  tile.block_stride = block_stride();
  tile.row_offset = quad * gemm.kr;
  if (run_quads > 0) {
    const std::int64_t groups_in_run = (run_quads + kGroupQuads - 1) / kGroupQuads;
    const std::int64_t group = quad / run_quads * groups_in_run + quad % run_quads / kGroupQuads;
    tile.group_scales =
        reinterpret_cast<const std::uint8_t*>(of_block) + quad_count * quad_bytes + group * kBlockChannels;
    tile.run_quads = run_quads;
    tile.run_position = quad % run_quads;
  }
  return tile;
}

void PackedMatrix::multiply_part(Share blocks, Share quads, const ActivationRows& x, const Sums& sums) const {
  if (quads.begin == 0) {
    const std::int32_t* start = compensation.data() + blocks.begin * kBlockChannels;
    const auto bytes = static_cast<std::size_t>(blocks.count() * kBlockChannels) * sizeof(std::int32_t);
    for (std::int64_t m = 0; m < x.count; ++m) std::memcpy(sums.values + m * sums.stride, start, bytes);
  }
  if (gemm.expand != nullptr && x.count >= gemm.expand_from) return multiply_expanded(blocks, quads, x, sums);
  const std::int64_t tile_blocks = gemm.nr / kBlockChannels;
  const std::int64_t quads_at_a_time = x.count <= gemm.mr ? quads.count() : quads_in_a_piece();
  const auto multiply_tile = within_pair_limit ? gemm.multiply_tile : gemm.multiply_any_tile;
  for (std::int64_t block = blocks.begin; block < blocks.end; block += tile_blocks) {
    const std::int64_t block_end = std::min(block + tile_blocks, blocks.end);
    for (std::int64_t quad = quads.begin; quad < quads.end; quad += quads_at_a_time) {
      const std::int64_t quad_end = std::min(quad + quads_at_a_time, quads.end);
      TileArguments tile = tile_at(block, quad);
      tile.block_count = block_end - block;
      tile.quad_count = quad_end - quad;
      tile.acc_stride = sums.stride;
      const Outliers::OfTile apart = outliers.of_tile({block, block_end}, {quad, quad_end});
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
