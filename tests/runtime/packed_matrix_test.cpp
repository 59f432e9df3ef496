// Products with packed weights by every kernel that this CPU has, against sums written out one by one: weights of any
// size, also those whose pairs are beyond a product's pair_limit.
#include "runtime/packed_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "brainquant/support/error.h"
#include "runtime/kernel_name.h"
#include "runtime/kernels/kernel_table.h"
#include "support/error_message.h"
#include "support/small_decoder.h"

namespace brainquant {
namespace {

using testing::RandomNumbers;

struct Case {
  const char* name;
  std::function<int(RandomNumbers&)> weight;
};

int rarely_large(RandomNumbers& random) {
  return static_cast<int>(random.integer(0, 199) == 0 ? random.integer(-127, 127) : random.integer(-60, 60));
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"small", [](RandomNumbers& r) { return static_cast<int>(r.integer(-64, 64)); }},
      {"rarely large", rarely_large},
      {"any", [](RandomNumbers& r) { return static_cast<int>(r.integer(-127, 127)); }},
      {"all 127", [](RandomNumbers&) { return 127; }},
      {"all -127", [](RandomNumbers&) { return -127; }},
      {"127 or -127", [](RandomNumbers& r) { return r.integer(0, 1) == 0 ? 127 : -127; }},
  };
  return all;
}

class PackedMatrixProduct : public ::testing::TestWithParam<const Kernel*> {};

/// Channels [16 * block_begin, 16 * block_end) over k quads in two parts, split at quad_begin; `inputs` of a channel
/// are one run, so input i lies at byte i of a row.
void check_products(const Kernel& kernel, const Case& weights_of, std::int64_t channels, std::int64_t inputs,
                    std::int64_t row_count, std::int64_t block_begin, std::int64_t quad_begin) {
  RandomNumbers random(static_cast<unsigned>(channels * 7919 + inputs * 31 + row_count));
  Int8Matrix weight{channels, inputs, {}, {0.5F}};
  for (std::int64_t i = 0; i < channels * inputs; ++i) {
    weight.values.push_back(static_cast<std::int8_t>(weights_of.weight(random)));
  }
  const PackedMatrix packed =
      pack(weight, std::vector<float>(static_cast<std::size_t>(channels)), channels_in_order(channels), inputs, kernel);
  const std::int64_t bytes_in_row = packed.quad_count * kQuadInputs;
  std::vector<std::vector<int>> activation(static_cast<std::size_t>(row_count));
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<const std::uint8_t*> rows;
  for (auto& row : activation) {
    for (std::int64_t i = 0; i < bytes_in_row; ++i) {
      row.push_back(random.integer(0, 3) == 0 ? (random.integer(0, 1) == 0 ? 127 : -127)
                                              : static_cast<int>(random.integer(-127, 127)));
    }
    bytes.emplace_back();
    for (const int q : row) bytes.back().push_back(static_cast<std::uint8_t>(q + kernel.storage_offset));
  }
  for (const auto& row : bytes) rows.push_back(row.data());

  // Up to quad_begin, then from there to the end: together they are the whole sum. One call for all of it gives the
  // same.
  const Share blocks{block_begin, packed.block_count};
  const std::int64_t width = blocks.count() * kBlockChannels;
  std::vector<std::int32_t> acc(static_cast<std::size_t>(row_count * width), 77), at_once = acc;
  packed.multiply_part(blocks, {0, quad_begin}, {rows.data(), row_count}, {acc.data(), width});
  packed.multiply_part(blocks, {quad_begin, packed.quad_count}, {rows.data(), row_count}, {acc.data(), width});
  packed.multiply(blocks, {rows.data(), row_count}, {at_once.data(), width});
  ASSERT_EQ(at_once, acc);

  for (std::int64_t m = 0; m < row_count; ++m) {
    for (std::int64_t c = block_begin * kBlockChannels; c < channels; ++c) {
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < inputs; ++i) {
        sum += weight.row(c)[i] * activation[static_cast<std::size_t>(m)][static_cast<std::size_t>(i)];
      }
      ASSERT_EQ(acc[static_cast<std::size_t>(m * width + c - block_begin * kBlockChannels)], sum)
          << kernel.name << ", weights " << weights_of.name << ": row " << m << ", channel " << c << " of " << channels
          << ", " << inputs << " inputs from quad " << quad_begin;
    }
  }
}

TEST_P(PackedMatrixProduct, EqualsTheSumsWrittenOut) {
  for (const Case& weights : cases()) {
    for (const std::int64_t rows : {1, 2, 3, 5, 13}) {
      check_products(*GetParam(), weights, 48, 64, rows, 0, 0);
      check_products(*GetParam(), weights, 41, 37, rows, 1, 3);
      check_products(*GetParam(), weights, 7, 5, rows, 0, 1);
    }
    check_products(*GetParam(), weights, 80, 768, 14, 2, 131);
  }
}

/// 4-bit weights: what each code and each group's scale is.
struct Int4Case {
  const char* name;
  std::function<int(RandomNumbers&)> code;
  std::function<int(RandomNumbers&)> group_scale;
  std::function<int(RandomNumbers&)> activation;
};

/// The largest sums that a group can have are those of 8 equal codes and activations.
const std::vector<Int4Case>& int4_cases() {
  const auto always = [](int value) { return [value](RandomNumbers&) { return value; }; };
  const auto between = [](int low, int high) {
    return [low, high](RandomNumbers& r) { return static_cast<int>(r.integer(low, high)); };
  };
  static const std::vector<Int4Case> all = {
      {"any", between(-8, 7), between(1, 15), between(-127, 127)},
      {"lowest codes, largest activations", always(-8), always(15), always(127)},
      {"lowest codes, lowest activations", always(-8), always(15), always(-127)},
      {"highest codes, largest activations", always(7), always(15), always(127)},
      {"highest codes, lowest activations", always(7), always(1), always(-127)},
  };
  return all;
}

/// `runs` runs of `run` inputs each, padded to a multiple of 16 in a row of activations; in two parts, split at a run.
void check_int4_products(const Kernel& kernel, const Int4Case& values, std::int64_t channels, std::int64_t run,
                         std::int64_t runs, std::int64_t row_count) {
  RandomNumbers random(static_cast<unsigned>(channels * 7919 + run * 31 + row_count));
  Int4Matrix weight;
  weight.rows = channels;
  weight.cols = run * runs;
  weight.run = run;
  weight.codes.resize(static_cast<std::size_t>(channels * weight.code_row_bytes()));
  weight.group_scales.resize(static_cast<std::size_t>(channels * weight.group_row_bytes()));
  weight.scales.assign(static_cast<std::size_t>(channels), 0.5F);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < weight.cols; ++i) {
      Int4Matrix::set_nibble(weight.codes.data() + c * weight.code_row_bytes(), i, values.code(random) + 8);
    }
    for (std::int64_t g = 0; g < weight.groups(); ++g) {
      Int4Matrix::set_nibble(weight.group_scales.data() + c * weight.group_row_bytes(), g, values.group_scale(random));
    }
  }
  const PackedMatrix packed =
      pack(weight, std::vector<float>(static_cast<std::size_t>(channels)), channels_in_order(channels), run, kernel);
  const std::int64_t padded_run = round_up(run, kBlockChannels);
  std::vector<std::vector<int>> activation(static_cast<std::size_t>(row_count));
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<const std::uint8_t*> rows;
  for (auto& row : activation) {
    bytes.emplace_back();
    for (std::int64_t i = 0; i < padded_run * runs; ++i) {
      row.push_back(values.activation(random));
      bytes.back().push_back(static_cast<std::uint8_t>(row.back() + kernel.storage_offset));
    }
  }
  for (const auto& row : bytes) rows.push_back(row.data());
  const Share blocks{packed.block_count > 1 ? 1 : 0, packed.block_count};
  const std::int64_t width = blocks.count() * kBlockChannels;
  const std::int64_t middle = runs / 2 * packed.run_quads;
  std::vector<std::int32_t> acc(static_cast<std::size_t>(row_count * width), 77), at_once = acc;
  packed.multiply_part(blocks, {0, middle}, {rows.data(), row_count}, {acc.data(), width});
  packed.multiply_part(blocks, {middle, packed.quad_count}, {rows.data(), row_count}, {acc.data(), width});
  packed.multiply(blocks, {rows.data(), row_count}, {at_once.data(), width});
  ASSERT_EQ(at_once, acc);
  if (packed.gemm.expand != nullptr) {
    PackedMatrix int8;
    for (const Share share : {packed.all_blocks(), blocks})
      packed.expand(share, int8);  // the second into the first's room
    std::fill(at_once.begin(), at_once.end(), 77);
    int8.multiply(int8.all_blocks(), {rows.data(), row_count}, {at_once.data(), width});
    ASSERT_EQ(at_once, acc) << kernel.name << ", " << values.name << ": expanded";
  }
  for (std::int64_t m = 0; m < row_count; ++m) {
    for (std::int64_t c = blocks.begin * kBlockChannels; c < channels; ++c) {
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < weight.cols; ++i) {
        const int whole = weight.code(c, i) * weight.group_scale(c, weight.group_of(i));
        sum +=
            whole * activation[static_cast<std::size_t>(m)][static_cast<std::size_t>(i / run * padded_run + i % run)];
      }
      ASSERT_EQ(acc[static_cast<std::size_t>(m * width + c - blocks.begin * kBlockChannels)], sum)
          << kernel.name << ", " << values.name << ": row " << m << ", channel " << c << " of " << channels << ", "
          << runs << " runs of " << run;
    }
  }
}

TEST_P(PackedMatrixProduct, OfFourBitsEqualsTheSumsWrittenOut) {
  for (const Int4Case& values : int4_cases()) {
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 16, 17, 33}) {
      check_int4_products(*GetParam(), values, 48, 64, 1, rows);
      check_int4_products(*GetParam(), values, 41, 37, 3, rows);  // groups of 32 and 5, in rows of 48
      check_int4_products(*GetParam(), values, 7, 5, 4, rows);
      check_int4_products(*GetParam(), values, 16, 100, 2, rows);
    }
    check_int4_products(*GetParam(), values, 128, 768, 1, 1);  // tiles of 4, 2 and 1 blocks
    check_int4_products(*GetParam(), values, 80, 768, 1, 14);
    check_int4_products(*GetParam(), values, 33, 512, 3, 40);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, PackedMatrixProduct, ::testing::ValuesIn(supported_kernels()), testing::kernel_name);

TEST(GemmConfig, IsNamedAfterItsFormatAndCutsIntoWholeBlocks) {
  for (const Kernel* kernel : all_kernels()) {
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
      const GemmConfig& gemm = gemm_of(*kernel, format);
      EXPECT_EQ(gemm.name, name_of(format)) << kernel->name;
      EXPECT_EQ(gemm.nr % kBlockChannels, 0) << kernel->name;
      EXPECT_GT(gemm.mr, 0) << kernel->name;
      EXPECT_NE(gemm.pack, nullptr) << kernel->name;
      EXPECT_NE(gemm.multiply_tile, nullptr) << kernel->name;
      EXPECT_EQ(gemm.pair_limit > 0, gemm.multiply_any_tile != nullptr && gemm.multiply_sparse != nullptr);
    }
  }
}

// Of 4 products with 3 rows each, the expansion is worth its time if 3 rows and 12 are enough.
TEST(GemmConfig, ExpandsWhereManyRowsShareIt) {
  PackedMatrix packed;
  EXPECT_FALSE(packed.pays_to_expand(1000, 1000));
  packed.gemm.expand = [](const TileArguments&, std::int8_t*) {};
  packed.gemm.expanded_from = 3;
  packed.gemm.expand_from = 12;
  EXPECT_TRUE(packed.pays_to_expand(3, 12));
  EXPECT_TRUE(packed.pays_to_expand(12, 12));
  EXPECT_FALSE(packed.pays_to_expand(3, 11));
  EXPECT_FALSE(packed.pays_to_expand(2, 128));
}

TEST(GemmConfig, FormatsWithoutOneAreRefusedByName) {
  const WeightMatrix fp32 = Matrix{1, 4, {1, 2, 3, 4}};
  const WeightMatrix half = quantize_float16(std::get<Matrix>(fp32));
  for (const Kernel* kernel : all_kernels()) {
    for (const WeightMatrix& weight : {fp32, half}) {
      const std::string message =
          testing::message_of<UsageError>([&] { pack(weight, {0.0F}, channels_in_order(1), 4, *kernel); });
      testing::expect_contains(message, name_of(format_of(weight)));
    }
  }
}

PackedMatrix packed_for_pairs(const Int8Matrix& weight) {
  Kernel kernel = choose_kernel("portable");
  kernel.int8.pair_limit = 128;
  return pack(weight, std::vector<float>(static_cast<std::size_t>(weight.rows)), channels_in_order(weight.rows),
              weight.cols, kernel);
}

// Hand-worked: of 9 quads the first has the pairs (127, 127) and (-127, -2). At a limit of 128 they keep (1, 127) and
// (-126, -2); pairs of 128 in all, or of two signs, stay.
TEST(PackedMatrix, SplitsPairsBeyondTheLimit) {
  Int8Matrix weight{1, 36, std::vector<std::int8_t>(36), {1.0F}};
  const std::vector<std::int8_t> first = {127, 127, -127, -2, 100, 28, 127, -127};
  std::copy(first.begin(), first.end(), weight.values.begin());
  const PackedMatrix packed = packed_for_pairs(weight);
  EXPECT_TRUE(packed.within_pair_limit);
  const std::vector<int> kept = {1, 127, -126, -2, 100, 28, 127, -127};
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(packed.values[static_cast<std::int64_t>(i / 4 * kQuadBytes + i % 4)], kept[i]) << i;
  }
  EXPECT_EQ(packed.outliers.quads(), std::vector<std::int32_t>({0}));
  EXPECT_EQ(packed.outliers.first(), std::vector<std::int64_t>({0, 1, 1}));
  const std::vector<int> beyond = {126, 0, -1, 0};
  for (std::size_t i = 0; i < beyond.size(); ++i) {
    EXPECT_EQ(packed.outliers.values()[static_cast<std::int64_t>(i)], beyond[i]) << i;
  }
}

TEST(PackedMatrix, ManyPairsBeyondTheLimitStayWhole) {
  const Int8Matrix weight{16, 64, std::vector<std::int8_t>(16 * 64, 127), {1.0F}};
  const PackedMatrix packed = packed_for_pairs(weight);
  EXPECT_FALSE(packed.within_pair_limit);
  EXPECT_TRUE(packed.outliers.quads().empty());
  EXPECT_EQ(packed.values[0], 127);
}

TEST(PackedMatrix, TestedWeightsTakeEveryWay) {
  const auto pack_case = [](const Case& weights_of) {
    RandomNumbers random(3);
    Int8Matrix weight{80, 768, {}, {1.0F}};
    for (int i = 0; i < 80 * 768; ++i) weight.values.push_back(static_cast<std::int8_t>(weights_of.weight(random)));
    return packed_for_pairs(weight);
  };
  EXPECT_TRUE(pack_case(cases()[0]).outliers.quads().empty());
  EXPECT_FALSE(pack_case(cases()[1]).outliers.quads().empty());
  EXPECT_FALSE(pack_case(cases()[2]).within_pair_limit);
}

}  // namespace
}  // namespace brainquant
