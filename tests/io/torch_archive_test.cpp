// Archives made by Python (tests/fixtures/archives.py): good ones, ones that would run code, ones that lie.

#include "io/torch_archive.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "io/zip_directory.h"
#include "support/atomic_file.h"
#include "support/error_message.h"
#include "support/sha256.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::message_of;

const std::filesystem::path kArchives = std::filesystem::path(BRAINQUANT_FIXTURES) / "archives";

nlohmann::json table(const char* name) { return nlohmann::json::parse(read_file(kArchives / name, 1 << 20)); }

TEST(TorchArchive, ReadsEveryType) {
  const TorchArchiveReader archive(kArchives / "readable.pt");
  const PickleField root = archive.root_field();
  EXPECT_TRUE(archive.has_checksums());
  const std::vector<std::int8_t> int8 = archive.read_int8(root.at("int8"));
  const std::vector<std::uint8_t> uint8 = archive.read_uint8(root.at("uint8"));
  const std::vector<std::int32_t> int32 = archive.read_int32(root.at("int32"));
  const std::vector<std::int64_t> int64 = archive.read_int64(root.at("int64"));
  ASSERT_EQ(int8.size(), 12U);
  ASSERT_EQ(uint8.size(), 12U);
  ASSERT_EQ(int32.size(), 12U);
  ASSERT_EQ(int64.size(), 12U);
  for (int i = 0; i < 12; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(int8[at], i - 6);
    EXPECT_EQ(uint8[at], i + 94);
    EXPECT_EQ(int32[at], (i - 6) * 70000);
    EXPECT_EQ(int64[at], (i - 6) * (std::int64_t{1} << 40));
  }
  EXPECT_EQ(archive.read_int64(root.at("column")), (std::vector<std::int64_t>{-4, 0, 4}));
  EXPECT_EQ(root.at("bool").as_tensor().storage.type, TensorType::boolean);
  EXPECT_TRUE(archive.read_float32(root.at("empty")).empty());
  EXPECT_EQ(archive.read_float32(root.at("scalar")), std::vector<float>{2.5F});
  EXPECT_EQ(archive.read_float32(root.at("double")), (std::vector<float>{0.1F, 1e30F, -3.0F}));
  EXPECT_EQ(archive.read_float32(root.at("part")), (std::vector<float>{990, 991, 992, 993, 994}));
}

// All 65,536 bit patterns of both 16-bit types, against PyTorch's conversion.
TEST(TorchArchive, ConvertsHalvesAsPyTorchDoes) {
  const TorchArchiveReader archive(kArchives / "readable.pt");
  const PickleField root = archive.root_field();
  for (const std::string type : {"half", "bfloat16"}) {
    const std::vector<float> ours = archive.read_float32(root.at(type));
    const std::vector<float> pytorch = archive.read_float32(root.at(type + "_as_float"));
    ASSERT_EQ(ours.size(), 65536U);
    ASSERT_EQ(pytorch.size(), 65536U);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      if (std::isnan(pytorch[i])) {
        EXPECT_TRUE(std::isnan(ours[i])) << type << " " << i;
      } else {
        EXPECT_EQ(std::memcmp(&ours[i], &pytorch[i], sizeof(float)), 0) << type << " " << i;
      }
    }
  }
  const std::vector<std::uint16_t> bits = archive.read_float16_bits(root.at("half"));
  for (std::size_t i = 0; i < bits.size(); ++i) EXPECT_EQ(bits[i], i);
}

TEST(TorchArchive, NamesATensorOfAnotherType) {
  const TorchArchiveReader archive(kArchives / "readable.pt");
  const PickleField root = archive.root_field();
  const std::string path = (kArchives / "readable.pt").string();
  EXPECT_EQ(message_of<FormatError>([&] { archive.read_int8(root.at("int32")); }),
            path + ": int32: found a int32 tensor [12], expected a tensor of int8");
  expect_contains(message_of<FormatError>([&] { archive.read_float32(root.at("bool")); }), "bool: found a bool tensor");
}

TEST(TorchArchive, NeverRunsCode) {
  const nlohmann::json malicious = table("malicious.json");
  ASSERT_GT(malicious.size(), 20U);
  for (const auto& [file, global] : malicious.items()) {
    SCOPED_TRACE(file);
    const std::string message = message_of<FormatError>([&] { TorchArchiveReader archive(kArchives / file); });
    expect_contains(message, (kArchives / file).string());
    expect_contains(message, global.get<std::string>());
  }
  EXPECT_FALSE(std::filesystem::exists(kArchives / "pwned"));
}

TEST(TorchArchive, SaysWhatIsWrongWithAFile) {
  const nlohmann::json broken = table("broken.json");
  ASSERT_GT(broken.size(), 20U);
  for (const auto& [file, contained] : broken.items()) {
    SCOPED_TRACE(file);
    const std::string message = message_of<FormatError>([&] {
      const TorchArchiveReader archive(kArchives / file);
      archive.read_float32(archive.root_field().at("t"));
    });
    expect_contains(message, (kArchives / file).string());
    expect_contains(message, contained.get<std::string>());
  }
}

TEST(TorchArchive, HashIsOfTheFileThatIsOpen) {
  const ScratchFolder folder;
  const std::string bytes = bytes_of(kArchives / "readable.pt");
  write_bytes(folder / "a.pt", bytes);
  const TorchArchiveReader archive(folder / "a.pt");
  write_bytes(folder / "b.pt", "another file");
  std::filesystem::rename(folder / "b.pt", folder / "a.pt");
  EXPECT_EQ(archive.file_sha256(), sha256_of_bytes(bytes.data(), bytes.size()));
  EXPECT_EQ(archive.file_bytes(), bytes.size());
  EXPECT_NO_THROW(archive.require_unchanged());
}

TEST(TorchArchive, NoticesThatItIsWrittenTo) {
  const ScratchFolder folder;
  write_bytes(folder / "a.pt", bytes_of(kArchives / "readable.pt"));
  const TorchArchiveReader archive(folder / "a.pt");
  EXPECT_NO_THROW(archive.require_unchanged());
  std::ofstream(folder / "a.pt", std::ios::app | std::ios::binary) << "more";
  expect_contains(message_of<FileError>([&] { archive.require_unchanged(); }), "a.pt: was changed while it was read");
}

TEST(TorchArchive, RefusesWhatIsNoFile) {
  expect_contains(message_of<FileError>([] { TorchArchiveReader archive(kArchives / "absent.pt"); }), "cannot open");
  expect_contains(message_of<FileError>([] { TorchArchiveReader archive(kArchives); }), "is a folder");
  expect_contains(message_of<FileError>([] { TorchArchiveReader archive("/dev/zero"); }), "not a regular file");
}

// Damage that its CRC would catch before the pickle is looked at: so the pickle is handed over directly.
TEST(Pickle, SurvivesDamageToARealOne) {
  const std::string file = bytes_of(kArchives / "readable.pt");
  const std::size_t begin = file.find("\x80\x02}");
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = file.find("u.", begin) + 2;
  const std::string pickle = file.substr(begin, end - begin);
  ASSERT_NO_THROW(read_pickle(pickle, "file", "data.pkl"));
  for (std::size_t length = 0; length < pickle.size(); ++length) {
    EXPECT_THROW(read_pickle(pickle.substr(0, length), "file", "data.pkl"), FormatError) << length;
  }
  std::mt19937 random(7);
  for (int i = 0; i < 50'000; ++i) {
    std::string damaged = pickle;
    for (unsigned flips = 1 + random() % 3; flips > 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      read_pickle(damaged, "file", "data.pkl");
    } catch (const FormatError&) {
    }
  }
}

}  // namespace
}  // namespace brainquant
