// The products of every kernel that this CPU has, tile by tile, against sums written out; instantiated in
// kernel_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "runtime/every_kernel.h"
#include "runtime/kernel_name.h"
#include "runtime/kernels/kernel_table.h"
#include "support/small_decoder.h"

namespace brainquant {
namespace {

using testing::EveryKernel;
using testing::RandomNumbers;

struct Pattern {
  const char* name;
  int lowest_activation, highest_activation;
  int lowest_weight, highest_weight;
};

// Sums of two products of 127 are what 16-bit instructions saturate at.
constexpr Pattern kPatterns[] = {{"random", -127, 127, -127, 127},       {"both 127", 127, 127, 127, 127},
                                 {"127 and -127", 127, 127, -127, -127}, {"-127 and 127", -127, -127, 127, 127},
                                 {"both -127", -127, -127, -127, -127},  {"zero activations", 0, 0, -127, 127},
                                 {"zero weights", -127, 127, 0, 0}};

/// Pairs of one sign beyond the limit are brought to it exactly.
void keep_pairs_within(int limit, std::vector<int>& channel) {
  for (std::size_t i = 0; i < channel.size(); i += 2) {
    const int a = channel[i];
    int& b = channel[i + 1];
    if (a > 0 && b > 0) b = std::min(b, limit - a);
    if (a < 0 && b < 0) b = std::max(b, -limit - a);
  }
}

/// One product of `rows` x `blocks` over `quads`, with strides and offsets larger than they need to be; guards around
/// the sums.
void check_tile(const Kernel& kernel, const Pattern& pattern, std::int64_t rows, std::int64_t blocks,
                std::int64_t quads, bool any_weights = false) {
  RandomNumbers random(static_cast<unsigned>(rows * 1000 + blocks * 100 + quads));
  constexpr std::int64_t kSkippedQuads = 3, kGuard = 5;
  constexpr std::int32_t kGuardValue = 0x5a5a5a5a;
  const std::int64_t inputs = quads * kQuadInputs, channels = blocks * kBlockChannels;
  const std::int64_t block_stride = (quads + kSkippedQuads) * kQuadBytes, acc_stride = channels + kGuard;

  std::vector<std::vector<int>> weight(static_cast<std::size_t>(channels)), activation(static_cast<std::size_t>(rows));
  for (auto& channel : weight) {
    for (std::int64_t i = 0; i < inputs; ++i) {
      channel.push_back(static_cast<int>(random.integer(pattern.lowest_weight, pattern.highest_weight)));
    }
  }
  for (auto& row : activation) {
    for (std::int64_t i = 0; i < inputs; ++i) {
      row.push_back(static_cast<int>(random.integer(pattern.lowest_activation, pattern.highest_activation)));
    }
  }
  if (kernel.int8.pair_limit > 0 && !any_weights) {
    for (auto& channel : weight) keep_pairs_within(kernel.int8.pair_limit, channel);
  }
  std::vector<std::int8_t> packed(static_cast<std::size_t>(blocks * block_stride), 99);  // 99 where nothing may be read
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < inputs; ++i) {
      const std::int64_t at = c / 16 * block_stride + i / 4 * 64 + c % 16 * 4 + i % 4;
      packed[static_cast<std::size_t>(at)] =
          static_cast<std::int8_t>(weight[static_cast<std::size_t>(c)][static_cast<std::size_t>(i)]);
    }
  }
  const std::int64_t row_offset = 4;
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<const std::uint8_t*> row_at;
  for (const auto& row : activation) {
    bytes.emplace_back(static_cast<std::size_t>(row_offset), std::uint8_t{77});
    for (const int q : row) bytes.back().push_back(static_cast<std::uint8_t>(q + kernel.storage_offset));
  }
  for (const auto& row : bytes) row_at.push_back(row.data());

  std::vector<std::int32_t> acc(static_cast<std::size_t>(rows * acc_stride), kGuardValue), expected = acc;
  for (std::int64_t m = 0; m < rows; ++m) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto start = static_cast<std::int32_t>(random.integer(-100000, 100000));
      std::int32_t product = 0, sum = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(inputs); ++i) {
        product += activation[static_cast<std::size_t>(m)][i] * weight[static_cast<std::size_t>(c)][i];
        sum += weight[static_cast<std::size_t>(c)][i];
      }
      acc[static_cast<std::size_t>(m * acc_stride + c)] = start - (any_weights ? 0 : kernel.storage_offset * sum);
      expected[static_cast<std::size_t>(m * acc_stride + c)] = start + product;
    }
  }
  const auto multiply = any_weights ? kernel.int8.multiply_any_tile : kernel.int8.multiply_tile;
  multiply({packed.data(), block_stride, row_at.data(), row_offset, rows, blocks, quads, acc.data(), acc_stride});
  ASSERT_EQ(acc, expected) << kernel.name << ", " << pattern.name << ": " << rows << " rows, " << blocks << " blocks, "
                           << quads << " quads";
}

TEST_P(EveryKernel, ProductsAreExact) {
  for (std::int64_t rows = 1; rows <= kernel().int8.mr; ++rows) {
    for (std::int64_t blocks = 1; blocks <= kernel().int8.nr / kBlockChannels; ++blocks) {
      for (const std::int64_t quads : {1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 130}) {
        for (const Pattern& pattern : kPatterns) {
          ASSERT_NO_FATAL_FAILURE(check_tile(kernel(), pattern, rows, blocks, quads));
        }
      }
    }
  }
}

// As wide as the published model's layer 0 is, everything at its largest: 7168 * 127 * 127 in one sum.
TEST_P(EveryKernel, WidestProductDoesNotSaturate) {
  check_tile(kernel(), kPatterns[1], 1, 1, 7168 / kQuadInputs);
  check_tile(kernel(), kPatterns[2], kernel().int8.mr, kernel().int8.nr / kBlockChannels, 7168 / kQuadInputs);
}

TEST(KernelTable, TilesHaveNoMoreChannelsThanThereIsRoomFor) {
  for (const Kernel* kernel : all_kernels())
    EXPECT_LE(kernel->int8.nr, kMostTileBlocks * kBlockChannels) << kernel->name;
}

class KernelWithPairLimit : public EveryKernel {};

TEST_P(KernelWithPairLimit, ProductsOfAnyWeightsAreExact) {
  for (std::int64_t rows = 1; rows <= kernel().int8.mr; ++rows) {
    for (std::int64_t blocks = 1; blocks <= kernel().int8.nr / kBlockChannels; ++blocks) {
      for (const std::int64_t quads : {1, 2, 3, 7, 31}) {
        for (const Pattern& pattern : kPatterns) {
          ASSERT_NO_FATAL_FAILURE(check_tile(kernel(), pattern, rows, blocks, quads, true));
        }
      }
    }
  }
}

TEST_P(KernelWithPairLimit, SparseQuadsAreExact) {
  constexpr std::int64_t kStride = kHalfChannels + 3;
  RandomNumbers random(5);
  for (const Pattern& pattern : kPatterns) {
    for (const std::vector<std::int32_t>& quads : {std::vector<std::int32_t>{4}, {0, 1, 2, 3, 4}, {0, 3, 4}}) {
      std::vector<std::vector<int>> weight(kHalfChannels);
      for (auto& channel : weight) {
        for (std::size_t i = 0; i < quads.size() * 4; ++i) {
          channel.push_back(static_cast<int>(random.integer(pattern.lowest_weight, pattern.highest_weight)));
        }
        keep_pairs_within(kernel().int8.pair_limit, channel);
      }
      std::vector<std::int8_t> packed;
      for (std::size_t q = 0; q < quads.size(); ++q) {
        for (const auto& channel : weight) {
          for (std::size_t i = 4 * q; i < 4 * q + 4; ++i) packed.push_back(static_cast<std::int8_t>(channel[i]));
        }
      }
      const std::int64_t rows = kernel().int8.mr;
      std::vector<std::vector<std::uint8_t>> bytes(static_cast<std::size_t>(rows));
      std::vector<const std::uint8_t*> row_at;
      for (auto& row : bytes) {
        for (int i = 0; i < 20; ++i) {
          const std::int64_t q = random.integer(pattern.lowest_activation, pattern.highest_activation);
          row.push_back(static_cast<std::uint8_t>(q + kernel().storage_offset));
        }
        row_at.push_back(row.data());
      }
      std::vector<std::int32_t> acc(static_cast<std::size_t>(rows * kStride), 1000), expected = acc;
      for (std::size_t m = 0; m < bytes.size(); ++m) {
        for (std::size_t c = 0; c < weight.size(); ++c) {
          for (std::size_t i = 0; i < weight[c].size(); ++i) {
            const auto input = static_cast<std::size_t>(quads[i / 4] * 4) + i % 4;
            expected[m * kStride + c] += bytes[m][input] * weight[c][i];
          }
        }
      }
      kernel().int8.multiply_sparse({packed.data(), quads.data(), row_at.data(), rows,
                                     static_cast<std::int64_t>(quads.size()), acc.data(), kStride});
      ASSERT_EQ(acc, expected) << pattern.name << ", " << quads.size() << " quads";
    }
  }
}

std::vector<const Kernel*> kernels_with_pair_limit() {
  std::vector<const Kernel*> kernels = supported_kernels();
  std::erase_if(kernels, [](const Kernel* kernel) { return kernel->int8.pair_limit == 0; });
  return kernels;
}

INSTANTIATE_TEST_SUITE_P(Cpu, KernelWithPairLimit, ::testing::ValuesIn(kernels_with_pair_limit()),
                         testing::kernel_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(KernelWithPairLimit);  // a CPU may have no such kernel

}  // namespace
}  // namespace brainquant
