// Zip archives of uncompressed records, laid out as torch.save does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace brainquant {

/// Hands the archive piece by piece to `write`, which may throw. Each record begins at a multiple of 64 bytes and bears
/// the date 1980-01-01 00:00, so the same records give the same bytes. Sizes and places beyond 4 GiB are written as
/// ZIP64.
class StoredZipWriter {
 public:
  using Write = std::function<void(const void* data, std::size_t bytes)>;

  explicit StoredZipWriter(Write write) : write_(std::move(write)) {}

  /// `name` with its folder, in ASCII; at most 65535 characters.
  void add(const std::string& name, const void* data, std::uint64_t bytes);
  /// The directory. Nothing can be added after it.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;  // of the local header
    std::uint32_t crc = 0;
  };

  void put(const void* data, std::uint64_t bytes);
  void put(const std::string& text) { put(text.data(), text.size()); }

  Write write_;
  std::uint64_t position_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace brainquant
