#include "support/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

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

TEST(AtomicFile, FollowsLinksAndKeepsThem) {
  const ScratchFolder folder;
  write_bytes(folder / "there/file", "old");
  fs::create_symlink("there/file", folder / "second");  // relative to its own folder
  fs::create_directory(folder / "links");
  fs::create_symlink("../second", folder / "links/first");
  fs::create_symlink(folder / "new/deep/file", folder / "links/dangling");
  {
    AtomicFile file(folder / "links/first");
    EXPECT_EQ(fs::canonical(file.temporary_path().parent_path()), fs::canonical(folder / "there"));
    file.write("new");
    file.commit();
  }
  write_file_atomically(folder / "links/dangling", "made");
  EXPECT_TRUE(fs::is_symlink(folder / "links/first"));
  EXPECT_TRUE(fs::is_symlink(folder / "second"));
  EXPECT_TRUE(fs::is_symlink(folder / "links/dangling"));
  EXPECT_EQ(bytes_of(folder / "there/file"), "new");
  EXPECT_EQ(bytes_of(folder / "new/deep/file"), "made");
  EXPECT_EQ(entries_in(folder / "links"), 2U);
  EXPECT_EQ(entries_in(folder / "there"), 1U);
}

TEST(AtomicFile, RefusesWhatIsNoPlaceForAFile) {
  const ScratchFolder folder;
  fs::create_symlink("b", folder / "a");
  fs::create_symlink("a", folder / "b");
  fs::create_directory(folder / "folder");
  fs::create_symlink("folder", folder / "to_folder");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (folder / "socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  for (const auto& [name, problem] :
       {std::pair("a", "loop of symbolic links"), std::pair("folder", "is a folder"),
        std::pair("to_folder", "is a folder"), std::pair("new/", "is a folder"), std::pair("socket", "is a socket")}) {
    expect_contains(message_of<FileError>([&] { AtomicFile file(folder / name); }), problem);
    expect_contains(message_of<FileError>([&] { output_kind(folder / name); }), problem);
  }
  ::close(socket);
  EXPECT_TRUE(fs::is_socket(folder / "socket"));
  if (::mknod((folder / "block").c_str(), S_IFBLK | 0600, 0) == 0) {  // no driver has number 0
    expect_contains(message_of<FileError>([&] { AtomicFile file(folder / "block"); }), "is a block device");
    EXPECT_TRUE(fs::is_block_file(folder / "block"));
  }
}

/// A FIFO and a thread that reads it to its end.
class ReadFifo {
 public:
  explicit ReadFifo(const fs::path& path) {
    ::mkfifo(path.c_str(), 0600);
    reader_ = std::thread([this, path] { text_ = bytes_of(path); });
  }
  std::string text() {
    reader_.join();
    return text_;
  }

 private:
  std::string text_;
  std::thread reader_;
};

TEST(AtomicFile, FeedsAFifoAtCommit) {
  const ScratchFolder folder;
  const std::string content = std::string(300'000, 'x') + "end";  // more than a pipe holds
  ReadFifo fifo(folder / "fifo");
  fs::create_symlink("fifo", folder / "link");
  { const AtomicFile probe(folder / "fifo"); }  // opened by it, the FIFO would be at its end for the reader
  {
    AtomicFile file(folder / "link");
    EXPECT_NE(file.temporary_path().parent_path(), folder.path());
    file.write(content);
    file.commit();
    EXPECT_FALSE(fs::exists(file.temporary_path()));
  }
  EXPECT_EQ(fifo.text(), content);
  EXPECT_TRUE(fs::is_fifo(folder / "fifo"));
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(entries_in(folder.path()), 2U);
}

TEST(AtomicFile, FeedsWhatALibraryWroteUnderTheTemporaryName) {
  const ScratchFolder folder;
  write_bytes(folder / "file", "old");
  ReadFifo fifo(folder / "fifo");
  for (const char* name : {"fifo", "file"}) {
    AtomicFile file(folder / name);
    fs::remove(file.temporary_path());
    write_bytes(file.temporary_path(), "by a library");
    file.commit();
  }
  EXPECT_EQ(fifo.text(), "by a library");
  EXPECT_EQ(bytes_of(folder / "file"), "by a library");
}

TEST(AtomicFile, DroppedOneLeavesAFifoWithoutReaderAlone) {
  const ScratchFolder folder;
  ::mkfifo((folder / "fifo").c_str(), 0600);
  fs::path temporary;
  {
    AtomicFile file(folder / "fifo");
    file.write("never seen");
    temporary = file.temporary_path();
  }
  EXPECT_FALSE(fs::exists(temporary));
  EXPECT_TRUE(fs::is_fifo(folder / "fifo"));
}

// The wait for a FIFO's reader, and for one that reads nothing, ends with a signal that is handled.
TEST(AtomicFile, ASignalEndsTheWaitForAReader) {
  const ScratchFolder folder;
  ::mkfifo((folder / "fifo").c_str(), 0600);
  for (const bool opened : {false, true}) {
    const int idle = opened ? ::open((folder / "fifo").c_str(), O_RDONLY | O_NONBLOCK) : -1;
    const pid_t child = ::fork();
    if (child == 0) {
      struct sigaction action {};
      action.sa_handler = [](int) {};
      ::sigaction(SIGALRM, &action, nullptr);
      const itimerval every_now_and_then = {{0, 20'000}, {0, 20'000}};
      ::setitimer(ITIMER_REAL, &every_now_and_then, nullptr);
      int code = 1;
      try {
        write_file_atomically(folder / "fifo", std::string(300'000, 'x'));
      } catch (const Interrupted&) {
        code = 5;
      } catch (...) {
        code = 2;
      }
      ::_exit(code);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 5) << status;
    if (idle >= 0) ::close(idle);
  }
}

TEST(AtomicFile, FeedsADescriptorOfThisProcess) {
  const ScratchFolder folder;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  fs::create_symlink("/dev/fd/" + std::to_string(ends[1]), folder / "link");
  write_file_atomically(folder / "link", "one ");
  write_file_atomically("/dev/fd/" + std::to_string(ends[1]), "two ");
  write_file_atomically("/proc/self/fd/" + std::to_string(ends[1]), "three");
  expect_contains(message_of<FileError>([&] { output_kind("/proc/self/fd/" + std::to_string(ends[0])); }),
                  "not open for writing");
  char buffer[100];
  EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(::read(ends[0], buffer, sizeof buffer))), "one two three");
  ::close(ends[0]);
  ::close(ends[1]);

  // A file that is open already is written on, as a program that prints would; replaced, it would lose what follows.
  const int file = ::open((folder / "file").c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::write(file, "before ", 7), 7);
  const std::string name = "/dev/fd/" + std::to_string(file);
  EXPECT_EQ(output_kind(name), OutputKind::stream);
  write_file_atomically(name, "fed ");
  ASSERT_EQ(::write(file, "after", 5), 5);
  ::close(file);
  EXPECT_EQ(bytes_of(folder / "file"), "before fed after");
  expect_contains(message_of<FileError>([&] { AtomicFile closed(name); }), "Bad file descriptor");
}

TEST(AtomicFile, FeedsACharacterDevice) {
  const ScratchFolder folder;
  if (::mknod((folder / "null").c_str(), S_IFCHR | 0666, 1 << 8 | 3) != 0 ||  // as /dev/null is
      ::mknod((folder / "full").c_str(), S_IFCHR | 0666, 1 << 8 | 7) != 0) {  // as /dev/full is
    GTEST_SKIP() << "needs the right to make device nodes";
  }
  write_file_atomically(folder / "null", "gone");
  EXPECT_TRUE(fs::is_character_file(folder / "null"));
  const std::string message = message_of<FileError>([&] { write_file_atomically(folder / "full", "text"); });
  if (message.find("Permission denied") != std::string::npos) GTEST_SKIP() << "a file system without devices";
  EXPECT_EQ(message, (folder / "full").string() + ": cannot write: No space left on device");
  EXPECT_TRUE(fs::is_character_file(folder / "full"));
  EXPECT_EQ(entries_in(folder.path()), 2U);
}

TEST(OutputKind, TellsWhatIsThere) {
  const ScratchFolder folder;
  write_bytes(folder / "file", "");
  ::mkfifo((folder / "fifo").c_str(), 0600);
  for (const char* name : {"file", "fifo", "nothing"}) fs::create_symlink(name, folder / ("to_" + std::string(name)));
  for (const std::string prefix : {"", "to_"}) {
    EXPECT_EQ(output_kind(folder / (prefix + "file")), OutputKind::regular_file);
    EXPECT_EQ(output_kind(folder / (prefix + "fifo")), OutputKind::stream);
    EXPECT_EQ(output_kind(folder / (prefix + "nothing")), OutputKind::nothing);
  }
  EXPECT_EQ(output_kind("/dev/null"), OutputKind::stream);
  EXPECT_EQ(output_kind(folder / "no_folder/file"), OutputKind::nothing);
  EXPECT_EQ(entries_in(folder.path()), 5U);
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
  ::mkfifo((folder / "fifo").c_str(), 0600);
  EXPECT_THROW(AppendFile(folder / "fifo", 0), FileError);  // and is not waited for
}

}  // namespace
}  // namespace brainquant
