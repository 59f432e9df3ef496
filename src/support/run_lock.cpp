#include "support/run_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <ctime>
#include <thread>
#include <utility>

#include "brainquant/support/error.h"
#include "support/descriptor.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(50);

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, HOST_NAME_MAX) == 0 ? name : "unknown host";
}

std::string description_of_this_run() {
  std::tm local{};
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  ::localtime_r(&now, &local);
  return fmt::format("process {} on {}, since {:%Y-%m-%d %H:%M:%S}\n", ::getpid(), host_name(), local);
}

// Only what a message says depends on it: a full disk must not keep a run from starting.
void introduce(int fd) {
  const std::string text = description_of_this_run();
  const bool said = ::ftruncate(fd, 0) == 0 && ::pwrite(fd, text.data(), text.size(), 0) > 0;
  static_cast<void>(said);
}

// Whoever holds the lock wrote one line, or is about to.
std::string holder(int fd) {
  char text[512] = {};
  const ssize_t got = ::pread(fd, text, sizeof text - 1, 0);
  std::string line(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  line.erase(std::min(line.find('\n'), line.size()));
  return line.empty() ? "another process" : line;
}

// The file that was locked may have been removed by its last holder before the lock was had: then it guards nothing.
bool is_still_at(const fs::path& path, int fd) {
  struct stat locked {};
  struct stat there {};
  return ::fstat(fd, &locked) == 0 && ::stat(path.c_str(), &there) == 0 && locked.st_dev == there.st_dev &&
         locked.st_ino == there.st_ino;
}

[[noreturn]] void refuse(const fs::path& path, const char* doing) {
  throw FileError(path.string(), fmt::format("{}: {}", doing, std::strerror(errno)));
}

int open_lock_file(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) refuse(path, "cannot open the lock file");
  return fd;
}

}  // namespace

RunLock::RunLock(fs::path path, const std::string& what, WhenLocked when, const RunContext& context)
    : path_(std::move(path)) {
  if (path_.has_parent_path()) {
    std::error_code error;
    fs::create_directories(path_.parent_path(), error);
    if (error) throw FileError(path_.parent_path().string(), "cannot create the folder: " + error.message());
  }
  bool said = false;
  for (;;) {
    Descriptor file(open_lock_file(path_));
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK) {
        context.log.warning(fmt::format("{}: this file system has no locks ({}); nothing keeps two runs here apart",
                                        path_.string(), std::strerror(errno)));
        break;
      }
      if (errno != EWOULDBLOCK) refuse(path_, "cannot lock");
      const std::string held = fmt::format("{} is held by another run ({})", what, holder(file.get()));
      if (when == WhenLocked::refuse) throw WorkError(held);
      if (!said) context.log.info(held + "; waiting for it");
      said = true;
      context.cancel.check();
      std::this_thread::sleep_for(kPollInterval);
    }
    if (!is_still_at(path_, file.get())) continue;
    introduce(file.get());
    fd_ = file.release();
    return;
  }
}

RunLock::RunLock(RunLock&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

RunLock::~RunLock() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());
  ::close(fd_);
}

}  // namespace brainquant
