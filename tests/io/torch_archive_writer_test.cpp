// Archives that the writer makes, read back by PyTorch (tests/fixtures/check_archive.py) and by the reader.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "io/torch_archive.h"
#include "support/error_message.h"
#include "support/size_limit.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::message_of;
using testing::SizeLimit;

template <class T, class Formula>
std::vector<T> values(Formula formula) {
  std::vector<T> result;
  for (int i = 0; i < 24; ++i) result.push_back(static_cast<T>(formula(i)));
  return result;
}

// The values are those that check_archive.py expects.
PickleValue add_tensors(TorchArchiveWriter& writer) {
  PickleValue::Entries tensors;
  const auto add = [&](const char* name, TensorType type, const std::vector<std::int64_t>& shape, const auto& data) {
    tensors.emplace_back(name, writer.add_tensor(type, shape, data.data()));
  };
  add("float32", TensorType::float32, {2, 3, 4}, values<float>([](int i) { return i * 0.5 - 3; }));
  add("float64", TensorType::float64, {24}, values<double>([](int i) { return i / 3.0; }));
  add("float16", TensorType::float16, {4, 6}, values<std::uint16_t>([](int i) { return i; }));
  add("bfloat16", TensorType::bfloat16, {24, 1}, values<std::uint16_t>([](int i) { return i; }));
  add("int8", TensorType::int8, {6, 4}, values<std::int8_t>([](int i) { return i - 12; }));
  add("uint8", TensorType::uint8, {24}, values<std::uint8_t>([](int i) { return i + 200; }));
  add("int16", TensorType::int16, {24}, values<std::int16_t>([](int i) { return i * 1000; }));
  add("int32", TensorType::int32, {24}, values<std::int32_t>([](int i) { return i * -100000; }));
  add("int64", TensorType::int64, {24}, values<std::int64_t>([](int i) { return i * (std::int64_t{1} << 40); }));
  add("bool", TensorType::boolean, {24}, values<std::uint8_t>([](int i) { return i % 3 == 0; }));
  add("scalar", TensorType::float32, {}, std::vector<float>{1.25F});
  add("none", TensorType::float32, {0, 7}, std::vector<float>{});
  return PickleValue::dict(std::move(tensors));
}

void write(const std::filesystem::path& path) {
  TorchArchiveWriter writer(path);
  const PickleValue tensors = add_tensors(writer);
  writer.commit(
      PickleValue::dict({{"none", PickleValue()},
                         {"yes", true},
                         {"no", false},
                         {"small", 7},
                         {"negative", -1},
                         {"large", std::int64_t{1} << 31},
                         {"lowest", std::numeric_limits<std::int64_t>::min()},
                         {"real", 0.1},
                         {"tiny", 5e-324},
                         {"text", "phonèmes 🧠\n"},
                         {"empty", ""},
                         {"list", PickleValue::list({1, PickleValue::list({}), PickleValue::dict({})})},
                         {"tuple", PickleValue::tuple({PickleValue::tuple({}), PickleValue::tuple({"a"})})},
                         {"nested", PickleValue::dict({{"a", PickleValue::dict({{"b", PickleValue::list({{}})}})}})},
                         {"tensors", tensors},
                         {5, 6}}));
}

TEST(TorchArchiveWriter, IsReadByPyTorch) {
  const ScratchFolder folder;
  write(folder / "a.pt");
  const std::string command =
      fmt::format("'{}' '{}' '{}'", BRAINQUANT_PYTHON, BRAINQUANT_CHECK_ARCHIVE, (folder / "a.pt").string());
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(TorchArchiveWriter, IsReadByTheReader) {
  const ScratchFolder folder;
  write(folder / "a.pt");
  const TorchArchiveReader archive(folder / "a.pt");
  EXPECT_TRUE(archive.has_checksums());
  const PickleField root = archive.root_field();
  EXPECT_EQ(root.at("lowest").as_int(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(root.at("tiny").as_double(), 5e-324);
  EXPECT_EQ(root.at("text").as_string(), "phonèmes 🧠\n");
  EXPECT_EQ(archive.read_float32(root.at("tensors").at("float32")), values<float>([](int i) { return i * 0.5 - 3; }));
  EXPECT_EQ(archive.read_int8(root.at("tensors").at("int8")), values<std::int8_t>([](int i) { return i - 12; }));
  EXPECT_EQ(root.at("tensors").at("int8").as_tensor().shape, (std::vector<std::int64_t>{6, 4}));
}

TEST(TorchArchiveWriter, GivesTheSameBytesUnderAnyName) {
  const ScratchFolder folder;
  write(folder / "a.pt");
  write(folder / "elsewhere" / "another_name.bin");
  EXPECT_FALSE(bytes_of(folder / "a.pt").empty());
  EXPECT_EQ(bytes_of(folder / "a.pt"), bytes_of(folder / "elsewhere" / "another_name.bin"));
}

TEST(TorchArchiveWriter, LeavesNothingWithoutCommit) {
  const ScratchFolder folder;
  {
    TorchArchiveWriter writer(folder / "a.pt");
    add_tensors(writer);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(TorchArchiveWriter, LeavesNothingOnAFullDisk) {
  const ScratchFolder folder;
  write(folder / "whole.pt");
  const std::size_t whole = bytes_of(folder / "whole.pt").size();
  // Full at the first record, among the tensors, in the pickle, in the zip's directory, at its last byte.
  for (const std::size_t limit : {std::size_t{0}, whole / 4, whole / 2, whole - 1500, whole - 100, whole - 1}) {
    const SizeLimit full(limit);
    const std::string message = message_of<FileError>([&] { write(folder / "a.pt"); });
    expect_contains(message, "a.pt: cannot write: File too large");
    EXPECT_FALSE(std::filesystem::exists(folder / "a.pt"));
  }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 1U) << "only whole.pt";
}

TEST(TorchArchiveWriter, RefusesValuesItCannotWriteAndLeavesNothing) {
  const ScratchFolder folder;
  EXPECT_THROW(
      {
        TorchArchiveWriter writer(folder / "a.pt");
        writer.commit(PickleValue::bytes("x"));
      },
      UsageError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace brainquant
