// Archives larger than 4 GiB and of many records. The usual ones: torch_archive_writer_test.cpp.

#include "io/stored_zip_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "io/scratch_folder.h"
#include "io/zip_directory.h"

namespace brainquant {
namespace {

/// A file in which a run of zeros takes no room on the disk.
class SparseFile {
 public:
  explicit SparseFile(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {}
  ~SparseFile() { ::close(fd_); }

  void write(const void* data, std::size_t bytes) {
    constexpr std::size_t kRun = std::size_t{1} << 30;
    const bool is_run = bytes > kRun;  // the test writes no other data that large
    if (is_run ? ::ftruncate(fd_, static_cast<off_t>(size_ + bytes)) != 0
               : ::pwrite(fd_, data, bytes, static_cast<off_t>(size_)) != static_cast<ssize_t>(bytes)) {
      throw std::runtime_error("cannot write");
    }
    size_ += bytes;
  }
  std::size_t read_at(std::uint64_t position, void* to, std::size_t count) const {
    const ssize_t got = ::pread(fd_, to, count, static_cast<off_t>(position));
    if (got < 0) throw std::runtime_error("cannot read");
    return static_cast<std::size_t>(got);
  }
  std::uint64_t size() const { return size_; }

 private:
  int fd_;
  std::uint64_t size_ = 0;
};

ZipDirectory directory_of(const SparseFile& file) {
  return ZipDirectory("file", file.size(), [&file](std::uint64_t position, void* to, std::size_t count) {
    return file.read_at(position, to, count);
  });
}

TEST(StoredZipWriter, GoesBeyond4GiB) {
  const ScratchFolder folder;
  constexpr std::uint64_t kLarge = (std::uint64_t{1} << 32) + 3;
  void* const zeros = ::mmap(nullptr, kLarge, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(zeros, MAP_FAILED);
  SparseFile file(folder / "large.zip");
  StoredZipWriter zip([&file](const void* data, std::size_t bytes) { file.write(data, bytes); });
  zip.add("a/first", "first", 5);
  zip.add("a/large", zeros, kLarge);
  zip.add("a/last", "last", 4);
  zip.finish();
  ::munmap(zeros, kLarge);

  const std::string command =
      fmt::format("'{}' '{}' '{}'", BRAINQUANT_PYTHON, BRAINQUANT_CHECK_LARGE_ZIP, (folder / "large.zip").string());
  EXPECT_EQ(std::system(command.c_str()), 0);
  const ZipDirectory directory = directory_of(file);
  EXPECT_EQ(directory.records().at("large").size, kLarge);
  const std::uint64_t begin = directory.offset_of("last", directory.records().at("last"));
  EXPECT_EQ(begin % 64, 0U);
  std::string last(4, ' ');
  EXPECT_EQ(file.read_at(begin, last.data(), 4), 4U);
  EXPECT_EQ(last, "last");
}

TEST(StoredZipWriter, HoldsMoreRecordsThan16BitsCount) {
  const ScratchFolder folder;
  SparseFile file(folder / "many.zip");
  StoredZipWriter zip([&file](const void* data, std::size_t bytes) { file.write(data, bytes); });
  constexpr int kRecords = 65535;  // the first count that the short field cannot hold
  for (int i = 0; i < kRecords; ++i) zip.add(fmt::format("a/{}", i), &i, sizeof i);
  zip.finish();
  const ZipDirectory directory = directory_of(file);
  ASSERT_EQ(directory.records().size(), static_cast<std::size_t>(kRecords));
  for (const int i : {0, 1, 40000, kRecords - 1}) {
    const std::string name = std::to_string(i);
    int found = -1;
    file.read_at(directory.offset_of(name, directory.records().at(name)), &found, sizeof found);
    EXPECT_EQ(found, i);
  }
}

}  // namespace
}  // namespace brainquant
