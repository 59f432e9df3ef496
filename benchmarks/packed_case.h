// A product of the native engine by itself: random packed weights and random rows.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "runtime/packed_matrix.h"
#include "runtime/thread_team.h"

namespace brainquant::benchmarks {

struct PackedCase {
  PackedCase(const Kernel& k, std::int64_t input_count, std::int64_t channel_count, std::int64_t row_count)
      : kernel(k), inputs(input_count), channels(channel_count), rows(row_count) {
    std::mt19937 random(1);
    std::uniform_int_distribution<int> bytes(-127, 127);
    std::normal_distribution<float> trained(0, 27);  // of a tensor's weights, the largest of which is 127
    Int8Matrix matrix{channels, inputs, std::vector<std::int8_t>(static_cast<std::size_t>(inputs * channels)), {0.01F}};
    for (std::int8_t& value : matrix.values) {
      value = static_cast<std::int8_t>(std::clamp(trained(random), -127.0F, 127.0F));
    }
    weights =
        pack(matrix, std::vector<float>(static_cast<std::size_t>(channels)), channels_in_order(channels), inputs, k);
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
