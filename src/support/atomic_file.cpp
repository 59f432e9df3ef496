#include "brainquant/support/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "brainquant/support/error.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse(const fs::path& path, const char* doing) {
  throw FileError(path.string(), fmt::format("{}: {}", doing, std::strerror(errno)));
}

void write_all(int fd, const void* data, std::size_t bytes, const fs::path& path) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd, at, bytes);
    if (written < 0) {
      if (errno == EINTR) continue;
      refuse(path, "cannot write");
    }
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void create_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(folder_of(path), error);
  if (error) throw FileError(folder_of(path).string(), "cannot create the folder: " + error.message());
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  std::error_code unknown;  // whatever else is wrong with the path, creating the file says so
  if (fs::is_directory(path_, unknown)) throw FileError(path_.string(), "is a folder, a file is to be written there");
  create_folder(path_);
  std::string pattern = (folder_of(path_) / fmt::format(".{}.XXXXXX", path_.filename().string())).string();
  fd_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (fd_ < 0) refuse(path_, "cannot create a temporary file beside it");
  temporary_ = pattern;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(fd_, 0666 & ~mask);  // mkostemp makes files that only their owner may read
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t bytes) { write_all(fd_, data, bytes, path_); }

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) refuse(path_, "cannot write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) refuse(path_, "cannot rename the finished file");
  ::close(fd_);
  fd_ = -1;
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
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
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) refuse(path_, "cannot open");
  if (::ftruncate(fd_, static_cast<off_t>(keep_bytes)) != 0) refuse(path_, "cannot truncate");
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::append(std::string_view text) {
  write_all(fd_, text.data(), text.size(), path_);
  if (::fdatasync(fd_) != 0) refuse(path_, "cannot write");
}

}  // namespace brainquant
