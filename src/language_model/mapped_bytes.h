// A file mapped read-only, with reads that can't leave it.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "brainquant/support/error.h"

namespace brainquant {

class MappedBytes {
 public:
  /// Throws FileError when the file can't be opened or mapped.
  explicit MappedBytes(const std::filesystem::path& path);
  ~MappedBytes();
  MappedBytes(const MappedBytes&) = delete;
  MappedBytes& operator=(const MappedBytes&) = delete;

  std::uint64_t size() const { return size_; }
  const char* data() const { return data_; }
  const std::string& path() const { return path_; }

  /// Copies a value from `offset` and moves `offset` behind it. FormatError naming `what` at the end of the file.
  template <typename T>
  T read(std::uint64_t& offset, const char* what) const {
    T value;
    std::memcpy(&value, range(offset, sizeof(T), what), sizeof(T));
    offset += sizeof(T);
    return value;
  }
  /// An int32 length and its bytes; lengths over `max_length` are refused.
  std::string_view read_string(std::uint64_t& offset, std::uint32_t max_length, const char* what) const;
  /// The bytes [offset, offset + bytes). FormatError naming `what` when they are not all there.
  const char* range(std::uint64_t offset, std::uint64_t bytes, const char* what) const;
  /// Tells the system that the bytes before `offset` won't be read soon: they stop counting as this process's memory.
  void release_before(std::uint64_t offset) const;

 private:
  std::string path_;
  const char* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace brainquant
