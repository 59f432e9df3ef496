// What a zip's central directory says of its records, checked for what torch.save writes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace brainquant {

struct ZipRecord {
  std::uint64_t index = 0;  // among the archive's entries
  std::uint64_t size = 0;   // bytes
  std::uint32_t crc = 0;
};

class ZipDirectory {
 public:
  /// Reads up to `count` bytes at `position`; returns how many there were. May throw.
  using ReadAt = std::function<std::size_t(std::uint64_t position, void* to, std::size_t count)>;

  /// Throws FormatError (no zip, no records, no top folder, a record twice or larger than the file), and whatever
  /// `read_at` throws.
  ZipDirectory(const std::string& path, std::uint64_t file_size, ReadAt read_at);
  ~ZipDirectory();
  ZipDirectory(const ZipDirectory&) = delete;
  ZipDirectory& operator=(const ZipDirectory&) = delete;

  /// By name without the archive's top folder, which is the first record's; others' records are left out.
  const std::unordered_map<std::string, ZipRecord>& records() const { return records_; }
  /// torch.save without checksums stores 0 everywhere.
  bool has_checksums() const { return has_checksums_; }
  /// The first record that is compressed; "" as a rule.
  const std::string& compressed() const { return compressed_; }
  /// Where the record's bytes begin in the file. Throws FormatError if its header is damaged, and whatever `read_at`
  /// throws.
  std::uint64_t offset_of(const std::string& name, const ZipRecord& record) const;

 private:
  struct Archive;
  std::string path_;
  std::unique_ptr<Archive> archive_;
  std::unordered_map<std::string, ZipRecord> records_;
  bool has_checksums_ = false;
  std::string compressed_;
};

}  // namespace brainquant
