#include "io/hdf5_call.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
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
int locks_held = 0;  // by the thread that has the mutex

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
  if (++locks_held == 1) H5Eset_auto2(H5E_DEFAULT, remember, nullptr);
}

Lock::~Lock() {
  // While there is a function to call, libhdf5 also prints what it cannot release at the end of the process.
  if (--locks_held == 0) H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

void require_memory() {
  constexpr std::size_t kSpare = std::size_t{32} << 20;
  void* const spare = ::mmap(nullptr, kSpare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (spare == MAP_FAILED) throw std::bad_alloc();
  ::munmap(spare, kSpare);  // never touched, it cost next to nothing
}

void forget_refusal() { last_refusal.clear(); }

std::string refusal(const H5::Exception& exception) {
  std::string text = last_refusal.empty() ? exception.getDetailMsg() : last_refusal;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return fmt::format("libhdf5 refuses it ({})", text);
}

bool is_sound_number(const H5::DataType& type) {
  const hid_t id = type.getId();
  const H5T_class_t kind = H5Tget_class(id);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return true;
  const std::size_t bytes = H5Tget_size(id);
  const std::size_t bits = H5Tget_precision(id);
  const int first_bit = H5Tget_offset(id);
  if (bytes < 1 || bytes > (kind == H5T_INTEGER ? 8 : 16)) return false;
  if (bits < 1 || first_bit < 0 || static_cast<std::size_t>(first_bit) + bits > 8 * bytes) return false;
  if (kind == H5T_INTEGER) return true;
  std::size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
  if (H5Tget_fields(id, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0) return false;
  const auto within = [bits](std::size_t at, std::size_t count) {
    return count >= 1 && count <= bits && at <= bits - count;
  };
  // An exponent is computed with in 64 bits.
  return within(sign, 1) && within(exponent, exponent_bits) && exponent_bits < 64 && within(mantissa, mantissa_bits);
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
