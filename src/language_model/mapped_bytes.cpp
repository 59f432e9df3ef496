#include "language_model/mapped_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace brainquant {

MappedBytes::MappedBytes(const std::filesystem::path& path) : path_(path.string()) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw FileError(path_, std::strerror(errno));
  struct stat status {};
  const bool regular = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) {
    ::close(fd);
    throw FileError(path_, "not a regular file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
    const int error = errno;
    ::close(fd);
    if (address == MAP_FAILED) throw FileError(path_, fmt::format("can't be mapped: {}", std::strerror(error)));
    data_ = static_cast<const char*>(address);
  } else {
    ::close(fd);
  }
}

MappedBytes::~MappedBytes() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

const char* MappedBytes::range(std::uint64_t offset, std::uint64_t bytes, const char* what) const {
  if (offset > size_ || bytes > size_ - offset) {
    throw FormatError(path_, what, fmt::format("the file ends at byte {}", size_),
                      fmt::format("{} bytes from byte {} on", bytes, offset));
  }
  return data_ + offset;
}

void MappedBytes::release_before(std::uint64_t offset) const {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t bytes = offset / page * page;
  if (bytes > 0) ::madvise(const_cast<char*>(data_), bytes, MADV_DONTNEED);
}

std::string_view MappedBytes::read_string(std::uint64_t& offset, std::uint32_t max_length, const char* what) const {
  const auto length = read<std::uint32_t>(offset, what);
  if (length > max_length) {
    throw FormatError(path_, what, fmt::format("a text of {} bytes", length), fmt::format("at most {}", max_length));
  }
  const char* text = range(offset, length, what);
  offset += length;
  return {text, length};
}

}  // namespace brainquant
