// Archives of arrays, byte by byte where numpy.lib.format prescribes them. What NumPy reads: tests/apps/smoke_test.cpp.
#include "io/npz_writer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

TEST(NpzWriter, MembersAreNpyFilesOfVersion1) {
  const ScratchFolder folder;
  const std::filesystem::path path = folder / "a.npz";
  const float values[] = {1.0F, -0.0F, 2.5F};
  {
    NpzWriter writer(path);
    writer.add("arr_0", values, 3, 1);
    writer.add("arr_1", nullptr, 0, 41);
    EXPECT_FALSE(std::filesystem::exists(path));
    writer.commit();
  }
  const std::string bytes = bytes_of(path);
  // 10 bytes, then 118 (0x76) of description to the multiple of 64 after its 58 characters and line break: 128 in all.
  const std::string description = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }";
  const std::string npy = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + description +
                          std::string(117 - description.size(), ' ') + "\n" +
                          std::string("\x00\x00\x80\x3f\x00\x00\x00\x80\x00\x00\x20\x40", 12);
  const std::size_t first = bytes.find("\x93NUMPY");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(first % 64, 0U);
  EXPECT_EQ(bytes.substr(first, npy.size()), npy);
  EXPECT_NE(bytes.find("'shape': (0, 41), }"), std::string::npos);
  EXPECT_NE(bytes.find("arr_1.npy"), std::string::npos);
}

TEST(NpzWriter, WithoutCommitNothingIsLeft) {
  const ScratchFolder folder;
  {
    NpzWriter writer(folder / "a.npz");
    writer.add_text("trials.json", "[]");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_THROW(NpzWriter{folder.path()}, FileError);
}

}  // namespace
}  // namespace brainquant
