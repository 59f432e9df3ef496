// Property: a checkpoint that was cut off or changed anywhere is refused with a typed error, or gives exactly the
// weights that were saved.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "model/checkpoint.h"
#include "support/atomic_file.h"

namespace brainquant {
namespace {

const std::filesystem::path kCases = std::filesystem::path(BRAINQUANT_FIXTURES) / "checkpoints";

std::vector<std::vector<float>> all_values(const Checkpoint& checkpoint) {
  const DecoderWeights& w = checkpoint.weights;
  std::vector<std::vector<float>> all = w.day_biases;
  for (const Matrix& m : w.day_weights) all.push_back(m.values);
  for (const GruLayerWeights& layer : w.gru) {
    all.insert(all.end(), {layer.weight_ih.values, layer.weight_hh.values, layer.bias_ih, layer.bias_hh});
  }
  all.insert(all.end(), {w.out_weight.values, w.out_bias, w.h0});
  return all;
}

/// A copy of the smallest checkpoint, to be damaged.
class DamagedCheckpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy(kCases / "tiny" / "checkpoint", folder_ / "checkpoint");
    bytes_ = bytes_of(weights_path());
    saved_ = all_values(load_checkpoint(folder_.path()));
  }

  std::filesystem::path weights_path() const { return folder_ / "checkpoint/best_checkpoint"; }

  void write(const std::string& bytes) const { std::ofstream(weights_path(), std::ios::binary) << bytes; }

  /// True if the file still loads; its values are then compared.
  bool loads(const std::string& damage) const {
    try {
      const Checkpoint checkpoint = load_checkpoint(folder_.path());
      EXPECT_EQ(all_values(checkpoint), saved_) << "other weights without an error: " << damage;
      return true;
    } catch (const FormatError& error) {
      EXPECT_NE(std::string(error.what()).find("best_checkpoint"), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    } catch (const std::exception& error) {
      ADD_FAILURE() << damage << ": an error of another type: " << error.what();
    }
    return false;
  }

  ScratchFolder folder_;
  std::string bytes_;
  std::vector<std::vector<float>> saved_;
};

TEST_F(DamagedCheckpoint, CutOffAnywhereIsRefused) {
  for (std::size_t length = 0; length < bytes_.size();
       length += length < 200 || length + 200 > bytes_.size() ? 1 : 37) {
    write(bytes_.substr(0, length));
    EXPECT_FALSE(loads("cut to " + std::to_string(length))) << length;
  }
}

TEST_F(DamagedCheckpoint, AnyChangedByteIsNoticedOrHarmless) {
  // Padding and the names of records that nobody reads may change; the pickle and the tensors may not.
  std::vector<bool> matters(bytes_.size(), false);
  const auto mark = [&](std::size_t begin, std::size_t count) {
    ASSERT_LE(begin, bytes_.size() - count);
    std::fill_n(matters.begin() + static_cast<std::ptrdiff_t>(begin), count, true);
  };
  const std::size_t pickle = bytes_.find("\x80\x02}");
  mark(pickle, bytes_.find("PK\x07\x08", pickle) - pickle);
  for (const std::vector<float>& values : saved_) {
    const std::string raw(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    mark(bytes_.find(raw), raw.size());
  }

  std::fstream file(weights_path(), std::ios::in | std::ios::out | std::ios::binary);
  for (std::size_t at = 0; at < bytes_.size(); ++at) {
    for (const int flip : {0xff, 1 << (at % 8)}) {
      const auto put = [&](char byte) { file.seekp(static_cast<std::streamoff>(at)).put(byte).flush(); };
      put(static_cast<char>(bytes_[at] ^ flip));
      const bool is_accepted = loads("byte " + std::to_string(at));
      EXPECT_FALSE(is_accepted && matters[at]) << "byte " << at;
      put(bytes_[at]);
    }
  }
  EXPECT_TRUE(loads("nothing"));
}

TEST_F(DamagedCheckpoint, TensorsOfOthersAreNotRead) {
  // The same for an optimizer's tensor: it is only hashed, so its damage does not matter.
  const std::filesystem::path trained = kCases / "trained" / "checkpoint";
  std::filesystem::copy(trained, folder_ / "checkpoint", std::filesystem::copy_options::overwrite_existing);
  const Checkpoint whole = load_checkpoint(folder_.path());
  std::string bytes = bytes_of(weights_path());
  const std::size_t last = bytes.rfind("PK\x03\x04", bytes.rfind("version"));
  ASSERT_NE(last, std::string::npos);
  const std::size_t before = bytes.rfind("PK\x03\x04", bytes.rfind("/data/", last));
  ASSERT_LT(before + 100, last);
  bytes[last - 24] ^= 1;  // in the record before `version`: 16 bytes of data descriptor, 8 before them
  write(bytes);
  const Checkpoint damaged = load_checkpoint(folder_.path());
  EXPECT_EQ(all_values(damaged), all_values(whole));
  EXPECT_NE(damaged.sha256, whole.sha256);
}

}  // namespace
}  // namespace brainquant
