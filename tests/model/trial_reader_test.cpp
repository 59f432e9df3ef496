#include "model/trial_reader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <random>
#include <thread>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "model/recordings.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

Dataset many() { return Dataset(recorded_config(), recorded_options(recordings("many"), Split::train)); }

std::vector<std::size_t> all_of(const Dataset& data) {
  std::vector<std::size_t> order(data.size());
  std::iota(order.begin(), order.end(), 0U);
  return order;
}

TEST(TrialReader, HandsOutTheOrderAskedFor) {
  Dataset data = many();
  std::vector<std::size_t> order = all_of(data);
  ASSERT_EQ(order.size(), 400U);
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  TrialReader reader(data, order, 2000);
  for (const std::size_t index : order) {
    const std::optional<Trial> trial = reader.next();
    ASSERT_TRUE(trial.has_value());
    ASSERT_EQ(trial->index, index);
    const auto k = static_cast<std::int64_t>(index);
    ASSERT_EQ(trial->features, recorded_features(5 + k % 30, k));
  }
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_FALSE(reader.next().has_value());
}

TEST(TrialReader, MemoryIsBoundedWhenTheConsumerIsSlow) {
  Dataset data = many();
  const std::size_t capacity = 2000;  // bytes; the trials have 80 to 544, all together 125,000
  TrialReader reader(data, all_of(data), capacity);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // time enough to read all 400, were there no bound
  EXPECT_LE(reader.most_bytes_held(), capacity);
  EXPECT_GE(reader.most_bytes_held(), capacity - 544) << "the queue is used";
  std::size_t trials = 0;
  while (reader.next()) {
    if (++trials % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(trials, 400U);
  EXPECT_LE(reader.most_bytes_held(), capacity);
}

TEST(TrialReader, OneTrialAlwaysFits) {
  Dataset data = many();
  TrialReader reader(data, all_of(data), 1);
  std::size_t trials = 0;
  while (reader.next()) ++trials;
  EXPECT_EQ(trials, 400U);
  EXPECT_LE(reader.most_bytes_held(), 544U);
}

TEST(TrialReader, EndsEarlyWithoutWaiting) {
  Dataset data = many();
  for (const std::size_t taken : {0U, 1U, 7U}) {
    TrialReader reader(data, all_of(data), 1000);
    for (std::size_t i = 0; i < taken; ++i) EXPECT_TRUE(reader.next().has_value());
  }
  EXPECT_EQ(data.read(3).trial_num, 3);  // the data set can be used again
  TrialReader none(data, {});
  EXPECT_FALSE(none.next().has_value());
}

TEST(TrialReader, ErrorsComeAfterTheTrialsBeforeThem) {
  const ScratchFolder folder;
  fs::copy(recordings("good"), folder.path(), fs::copy_options::recursive);
  const fs::path broken = recordings("broken") / "nan/data/t15.2023.08.11/data_val.hdf5";
  fs::copy_file(broken, folder / "data/t15.2023.08.11/data_val.hdf5", fs::copy_options::overwrite_existing);
  Dataset data(recorded_config(), recorded_options(folder.path()));
  TrialReader reader(data, all_of(data));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(reader.next().has_value()) << i;
  EXPECT_THROW(reader.next(), FormatError);
  EXPECT_THROW(reader.next(), FormatError) << "not taken for the end by who asks again";
}

}  // namespace
}  // namespace brainquant
