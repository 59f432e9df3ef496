#include "io/hdf5_call.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace brainquant::hdf5 {

namespace {

std::recursive_mutex& hdf5_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

thread_local std::string last_refusal;

// Walking from the innermost function outwards, the first description is the cause; the others say who called.
herr_t keep_first(unsigned /*depth*/, const H5E_error2_t* error, void* text) {
  auto& kept = *static_cast<std::string*>(text);
  if (kept.empty() && error != nullptr && error->desc != nullptr) kept = error->desc;
  return 0;
}

// libhdf5 calls this where by default it prints its error stack.
herr_t remember(hid_t stack, void* /*unused*/) {
  last_refusal.clear();
  return H5Ewalk2(stack, H5E_WALK_UPWARD, keep_first, &last_refusal);
}

}  // namespace

Lock::Lock() : lock_(hdf5_mutex()) {
  thread_local bool silenced = false;  // a thread-safe libhdf5 has an error stack for each thread
  if (!silenced) {
    H5Eset_auto2(H5E_DEFAULT, remember, nullptr);
    silenced = true;
  }
}

void forget_refusal() { last_refusal.clear(); }

std::string refusal(const H5::Exception& exception) {
  std::string text = last_refusal.empty() ? exception.getDetailMsg() : last_refusal;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return fmt::format("libhdf5 refuses it ({})", text);
}

void require_regular_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw FileError(path.string(), fmt::format("cannot open: {}", std::strerror(errno)));
  struct stat about {};
  const bool regular = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  ::close(fd);
  if (!regular) throw FileError(path.string(), "cannot open: not a regular file");
}

}  // namespace brainquant::hdf5
