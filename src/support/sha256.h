// SHA-256 (FIPS 180-4), as lower-case hexadecimal digits.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace brainquant {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void update(const void* data, std::size_t bytes);
  void update(std::string_view text) { update(text.data(), text.size()); }
  /// The digest of everything so far; the object can't be updated after it.
  std::string hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256_of_bytes(const void* data, std::size_t bytes);
/// Reads the file in pieces. Throws FileError when it can't be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace brainquant
