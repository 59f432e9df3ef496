// A product of the native engine by itself: random packed weights and random rows.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "runtime/packed_matrix.h"
#include "runtime/thread_team.h"

namespace brainquant::benchmarks {

/// Random weights that are spread as trained ones are: those of a row reach the ends of the format's range.
inline WeightMatrix random_weights(WeightFormat format, std::int64_t channels, std::int64_t inputs,
                                   std::mt19937& random) {
  const auto normal = [&](float deviation, float lowest, float highest) {
    return std::clamp(std::normal_distribution<float>(0, deviation)(random), lowest, highest);
  };
  if (format == WeightFormat::int8) {
    Int8Matrix matrix{channels, inputs, std::vector<std::int8_t>(static_cast<std::size_t>(inputs * channels)), {0.01F}};
    for (std::int8_t& value : matrix.values) value = static_cast<std::int8_t>(normal(27, -127, 127));
    return matrix;
  }
  Int4Matrix matrix;
  matrix.rows = channels;
  matrix.cols = inputs;
  matrix.run = inputs;
  matrix.codes.resize(static_cast<std::size_t>(channels * matrix.code_row_bytes()));
  matrix.group_scales.resize(static_cast<std::size_t>(channels * matrix.group_row_bytes()));
  matrix.scales.assign(static_cast<std::size_t>(channels), 0.01F);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < inputs; ++i) {
      Int4Matrix::set_nibble(matrix.codes.data() + c * matrix.code_row_bytes(), i,
                             static_cast<int>(normal(3, -8, 7)) + 8);
    }
    for (std::int64_t g = 0; g < matrix.groups(); ++g) {
      Int4Matrix::set_nibble(matrix.group_scales.data() + c * matrix.group_row_bytes(), g,
                             static_cast<int>(normal(3, -4, 7)) + 8);
    }
  }
  return matrix;
}

struct PackedCase {
  PackedCase(const Kernel& k, std::int64_t input_count, std::int64_t channel_count, std::int64_t row_count,
             WeightFormat format = WeightFormat::int8)
      : kernel(k), inputs(input_count), channels(channel_count), rows(row_count) {
    std::mt19937 random(1);
    std::uniform_int_distribution<int> bytes(-127, 127);
    weights = pack(random_weights(format, channels, inputs, random),
                   std::vector<float>(static_cast<std::size_t>(channels)), channels_in_order(channels), inputs, k);
    activations = AlignedBuffer<std::uint8_t>(inputs * rows);
    for (std::int64_t i = 0; i < inputs * rows; ++i) {
      activations[i] = static_cast<std::uint8_t>(bytes(random) + k.storage_offset);
    }
    for (std::int64_t r = 0; r < rows; ++r) row_at.push_back(activations.data() + r * inputs);
    acc = AlignedBuffer<std::int32_t>(rows * weights.channels());
  }

  double macs() const {
    return static_cast<double>(inputs) * static_cast<double>(channels) * static_cast<double>(rows);
  }

  /// The member's share of the channels, one tile's blocks after the other, as the engine does whole trials.
  void multiply(int member, int members) {
    const std::int64_t begin = weights.block_count * member / members,
                       end = weights.block_count * (member + 1) / members;
    const std::int64_t tile_blocks = weights.gemm.nr / kBlockChannels;
    for (std::int64_t block = begin; block < end; block += tile_blocks) {
      const std::int64_t last = std::min(block + tile_blocks, end);
      weights.multiply({block, last}, {row_at.data(), rows}, {acc.data() + block * kBlockChannels, weights.channels()});
    }
  }

  const Kernel& kernel;
  std::int64_t inputs, channels, rows;
  PackedMatrix weights;
  AlignedBuffer<std::uint8_t> activations;
  std::vector<const std::uint8_t*> row_at;
  AlignedBuffer<std::int32_t> acc;
};

}  // namespace brainquant::benchmarks
