#include "support/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "brainquant/support/error.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse(const fs::path& path, std::string_view doing, int error = errno) {
  throw FileError(path.string(), fmt::format("{}: {}", doing, std::strerror(error)));
}

// False, and errno, when the system refuses.
bool write_all(int fd, const char* at, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t written = ::write(fd, at, bytes);
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void create_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(folder_of(path), error);
  if (error) throw FileError(folder_of(path).string(), "cannot create the folder: " + error.message());
}

constexpr int kMostLinks = 40;  // as Linux

struct Target {
  fs::path path;
  OutputKind kind = OutputKind::nothing;
  int descriptor = -1;
};

// The N of /proc/self/fd/N, which /dev/fd/N and /dev/stdout lead to; or -1.
int own_descriptor(const fs::path& path) {
  const std::string name = path.filename().string();
  int number = -1;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (problem != std::errc() || end != name.data() + name.size()) return -1;
  std::error_code error;
  const fs::path folder = fs::canonical(folder_of(path), error);
  return !error && folder == fmt::format("/proc/{}/fd", ::getpid()) ? number : -1;
}

void require_writable(int descriptor, const fs::path& path) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0) refuse(path, "cannot write");
  if ((flags & O_ACCMODE) == O_RDONLY) throw FileError(path.string(), "not open for writing");
}

OutputKind kind_of(const struct stat& about, const fs::path& path) {
  switch (about.st_mode & S_IFMT) {
    case S_IFREG:
      return OutputKind::regular_file;
    case S_IFIFO:
    case S_IFCHR:
      return OutputKind::stream;
    case S_IFDIR:
      throw FileError(path.string(), "is a folder, a file is to be written there");
    case S_IFBLK:
      throw FileError(path.string(), "is a block device, a file is to be written there");
    case S_IFSOCK:
      throw FileError(path.string(), "is a socket, a file is to be written there");
    default:
      throw FileError(path.string(), "is something that can't be written to");
  }
}

Target descriptor_target(int descriptor, const fs::path& path) {
  struct stat about {};
  if (::fstat(descriptor, &about) != 0) refuse(path, "cannot write");
  // A connected socket can be fed as well as a pipe, and a file that the process has open must not be replaced.
  if (!S_ISSOCK(about.st_mode)) kind_of(about, path);
  require_writable(descriptor, path);
  return {path, OutputKind::stream, descriptor};
}

Target target_of(const fs::path& path) {
  const fs::path name = path.filename();
  if (name.empty() || name == "." || name == "..") {
    throw FileError(path.string(), "is a folder, a file is to be written there");
  }
  fs::path at = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    if (const int descriptor = own_descriptor(at); descriptor >= 0) return descriptor_target(descriptor, path);
    struct stat about {};
    if (::lstat(at.c_str(), &about) != 0) {
      if (errno == ELOOP) refuse(path, "cannot follow its links");
      return {at, OutputKind::nothing};  // whatever else is wrong with the path, creating the file says so
    }
    if (!S_ISLNK(about.st_mode)) return {at, kind_of(about, path)};
    // A pipe of another process's (/proc/PID/fd/N) can be opened by its link, though the link names no file.
    if (::stat(at.c_str(), &about) == 0 && !S_ISREG(about.st_mode)) return {at, kind_of(about, path)};
    std::error_code error;
    const fs::path next = fs::read_symlink(at, error);
    if (error) throw FileError(path.string(), "cannot follow its links: " + error.message());
    at = folder_of(at) / next;  // or `next` alone if that is absolute
  }
  throw FileError(path.string(), "is a loop of symbolic links");
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int open_stream(const fs::path& path, int descriptor) {
  const int fd =
      descriptor >= 0 ? ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0) : ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0 && errno == EINTR) throw Interrupted();
  if (fd < 0) refuse(path, "cannot open");
  return fd;
}

// A signal ends the wait for a slow reader. Of at most PIPE_BUF bytes a pipe takes all or, when that happens, none.
void feed(int fd, const char* data, std::size_t bytes, const fs::path& path) {
  while (bytes > 0) {
    const ssize_t written = ::write(fd, data, std::min<std::size_t>(bytes, PIPE_BUF));
    if (written >= 0) {
      data += written;
      bytes -= static_cast<std::size_t>(written);
      continue;
    }
    if (errno == EAGAIN) {  // whoever opened the descriptor wants no waiting; this does
      pollfd waiting{fd, POLLOUT, 0};
      if (::poll(&waiting, 1, -1) >= 0) continue;
    }
    if (errno == EINTR) throw Interrupted();
    refuse(path, "cannot write");
  }
}

}  // namespace

OutputKind output_kind(const fs::path& path) { return target_of(path).kind; }

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  Target target = target_of(path_);
  target_ = std::move(target.path);
  stream_ = target.kind == OutputKind::stream;
  descriptor_ = target.descriptor;
  std::error_code error;
  const fs::path folder = stream_ ? fs::temp_directory_path(error) : folder_of(target_);
  if (error) throw FileError(path_.string(), "no folder for a temporary file: " + error.message());
  if (stream_ && descriptor_ < 0 && ::access(target_.c_str(), W_OK) != 0) refuse(path_, "cannot open");
  if (!stream_) create_folder(target_);
  std::string pattern = (folder / fmt::format(".{}.XXXXXX", target_.filename().string())).string();
  fd_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (fd_ < 0) {
    const int problem = errno;
    refuse(path_, fmt::format("cannot create a temporary file {}", stream_ ? "in " + folder.string() : "beside it"),
           problem);
  }
  temporary_ = pattern;
  if (stream_) return;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(fd_, 0666 & ~mask);  // mkostemp makes files that only their owner may read
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::refuse_write() const {
  const int error = errno;
  refuse(path_, stream_ ? fmt::format("cannot write the temporary file {}", temporary_.string()) : "cannot write",
         error);
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  if (!write_all(fd_, static_cast<const char*>(data), bytes)) refuse_write();
}

void AtomicFile::open_again_if_replaced() {
  struct stat opened {};
  struct stat named {};
  if (::fstat(fd_, &opened) != 0 || ::stat(temporary_.c_str(), &named) != 0) refuse(temporary_, "cannot read");
  if (opened.st_dev == named.st_dev && opened.st_ino == named.st_ino) return;
  const int fd = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) refuse(temporary_, "cannot open");
  ::close(fd_);
  fd_ = fd;
}

void AtomicFile::feed_stream() {
  const Descriptor stream(open_stream(target_, descriptor_));
  if (::lseek(fd_, 0, SEEK_SET) < 0) refuse(temporary_, "cannot read");
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(fd_, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(temporary_, "cannot read");
    if (got == 0) return;
    feed(stream.get(), buffer, static_cast<std::size_t>(got), path_);
  }
}

void AtomicFile::commit() {
  open_again_if_replaced();
  if (stream_) {
    feed_stream();
    ::unlink(temporary_.c_str());
  } else {
    if (::fsync(fd_) != 0) refuse_write();
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) refuse(path_, "cannot rename the finished file");
  }
  ::close(fd_);
  fd_ = -1;
  if (stream_) return;
  const Descriptor folder(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::string read_file(const fs::path& path, std::size_t max_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) refuse(path, "cannot open");
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(fd);
      errno = error;
      refuse(path, "cannot read");
    }
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > max_bytes) {
      ::close(fd);
      throw FormatError(path.string(), "", "a file of more bytes", fmt::format("at most {} bytes", max_bytes));
    }
  }
  ::close(fd);
  return text;
}

AppendFile::AppendFile(fs::path path, std::size_t keep_bytes) : path_(std::move(path)) {
  create_folder(path_);
  // Without O_NONBLOCK a FIFO would be waited for.
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
  if (fd_ < 0) refuse(path_, "cannot open");
  if (::ftruncate(fd_, static_cast<off_t>(keep_bytes)) != 0) {
    const int error = errno;
    ::close(fd_);
    errno = error;
    refuse(path_, "cannot truncate");
  }
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::append(std::string_view text) {
  if (!write_all(fd_, text.data(), text.size())) refuse(path_, "cannot write");
  if (::fdatasync(fd_) != 0) refuse(path_, "cannot write");
}

}  // namespace brainquant
