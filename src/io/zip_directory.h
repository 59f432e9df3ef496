// What a zip's central directory says of its records, checked for what torch.save writes.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

namespace brainquant {

struct ZipRecord {
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
};

struct ZipDirectory {
  std::unordered_map<std::string, ZipRecord> records;  // by name without the archive's top folder
  bool has_checksums = false;                          // torch.save without checksums stores 0 everywhere
  std::string compressed;                              // the first record that is; "" as a rule
};

/// Throws FormatError: no zip, no records, a record twice or larger than the file.
ZipDirectory read_zip_directory(const std::string& path, std::uint64_t file_size);

}  // namespace brainquant
