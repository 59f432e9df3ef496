#include "brainquant/support/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "support/error_message.h"
#include "support/size_limit.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;
using testing::expect_contains;
using testing::message_of;
using testing::SizeLimit;

std::size_t entries_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(AtomicFile, AppearsOnlyAtCommit) {
  const ScratchFolder folder;
  const fs::path path = folder / "new/deeper/file.txt";
  AtomicFile file(path);
  file.write("one ");
  file.write("two");
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(file.temporary_path().parent_path(), path.parent_path());
  file.commit();
  EXPECT_EQ(bytes_of(path), "one two");
  EXPECT_EQ(entries_in(path.parent_path()), 1U);
}

TEST(AtomicFile, KeepsTheOldFileUntilCommit) {
  const ScratchFolder folder;
  write_file_atomically(folder / "file", "old");
  {
    AtomicFile file(folder / "file");
    file.write("new");
  }
  EXPECT_EQ(bytes_of(folder / "file"), "old");
  EXPECT_EQ(entries_in(folder.path()), 1U);
  write_file_atomically(folder / "file", "new");
  EXPECT_EQ(bytes_of(folder / "file"), "new");
  EXPECT_EQ(entries_in(folder.path()), 1U);
}

TEST(AtomicFile, HasThePermissionsOfAnyNewFile) {
  const ScratchFolder folder;
  const mode_t before = ::umask(027);
  write_file_atomically(folder / "file", "");
  ::umask(before);
  struct stat status;
  ASSERT_EQ(::stat((folder / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640U);
}

TEST(AtomicFile, LeavesNothingOnAFullDisk) {
  const ScratchFolder folder;
  write_file_atomically(folder / "file", "old");
  {
    const SizeLimit full(1000);
    const std::string message =
        message_of<FileError>([&] { write_file_atomically(folder / "file", std::string(2000, 'x')); });
    EXPECT_EQ(message, (folder / "file").string() + ": cannot write: File too large");
  }
  EXPECT_EQ(bytes_of(folder / "file"), "old");
  EXPECT_EQ(entries_in(folder.path()), 1U);
}

TEST(AtomicFile, SurvivesTheDeathOfItsProcess) {
  const ScratchFolder folder;
  write_file_atomically(folder / "file", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(folder / "file");
    file.write("half a");
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(bytes_of(folder / "file"), "old");
}

TEST(AtomicFile, RefusesImpossiblePlaces) {
  const ScratchFolder folder;
  write_file_atomically(folder / "file", "old");
  fs::create_directory(folder / "folder");
  expect_contains(message_of<FileError>([&] { AtomicFile file(folder / "folder"); }), "is a folder");
  expect_contains(message_of<FileError>([&] { AtomicFile file(folder / "file/below"); }), "cannot create the folder");
  expect_contains(message_of<FileError>([&] { AtomicFile file(folder / std::string(300, 'n')); }),
                  "File name too long");
  EXPECT_THROW(AtomicFile("/proc/brainquant/file"), FileError);
  EXPECT_EQ(bytes_of(folder / "file"), "old");
}

TEST(ReadFile, ReadsAllOrSaysWhyNot) {
  const ScratchFolder folder;
  const std::string content = std::string(200'000, 'a') + '\0' + "end";
  write_file_atomically(folder / "file", content);
  EXPECT_EQ(read_file(folder / "file", content.size()), content);
  const std::string path = (folder / "file").string();
  EXPECT_EQ(message_of<FormatError>([&] { read_file(path, content.size() - 1); }),
            path + ": found a file of more bytes, expected at most 200003 bytes");
  expect_contains(message_of<FileError>([&] { read_file(folder / "absent", 10); }), "cannot open: No such file");
  expect_contains(message_of<FileError>([&] { read_file(folder.path(), 10); }), "cannot read: Is a directory");
  EXPECT_THROW(read_file("/dev/zero", 100'000), FormatError);
}

TEST(AppendFile, AppendsToWhatIsKept) {
  const ScratchFolder folder;
  const fs::path path = folder / "new/rows.csv";
  {
    AppendFile file(path, 0);
    file.append("first\n");
    file.append("seco");
  }
  {
    AppendFile file(path, 6);  // the second row was interrupted
    file.append("second\n");
    EXPECT_EQ(bytes_of(path), "first\nsecond\n") << "readable before it is closed";
  }
  EXPECT_EQ(bytes_of(path), "first\nsecond\n");
}

TEST(AppendFile, KeepsFinishedRowsOnAFullDisk) {
  const ScratchFolder folder;
  AppendFile file(folder / "rows.csv", 0);
  file.append(std::string(900, 'a') + "\n");
  {
    const SizeLimit full(1000);
    expect_contains(message_of<FileError>([&] { file.append(std::string(900, 'b') + "\n"); }),
                    "rows.csv: cannot write");
  }
  EXPECT_EQ(bytes_of(folder / "rows.csv").substr(0, 901), std::string(900, 'a') + "\n");
}

TEST(AppendFile, RefusesImpossiblePlaces) {
  const ScratchFolder folder;
  expect_contains(message_of<FileError>([&] { AppendFile file(folder.path(), 0); }), "cannot open: Is a directory");
  EXPECT_THROW(AppendFile("/dev/full", 0), FileError);
}

}  // namespace
}  // namespace brainquant
