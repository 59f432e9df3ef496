// Files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace brainquant {

/// Writes to a temporary file beside `path`; commit() makes it durable and gives it its name. A file that is destroyed
/// without commit() leaves nothing behind. Every function throws FileError when the system refuses (a full disk, say).
class AtomicFile {
 public:
  /// Creates missing parent folders and the temporary file.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// fsync, rename over `path`, fsync of the folder.
  void commit();

  const std::filesystem::path& path() const { return path_; }
  /// Where the bytes lie until commit(), for libraries that write files themselves.
  const std::filesystem::path& temporary_path() const { return temporary_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int fd_ = -1;
};

void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// The whole file as bytes. FileError when it can't be read, FormatError when it is larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes);

/// A file that finished units of work are appended to, each durable before append() returns.
class AppendFile {
 public:
  /// Opens for appending, cut to `keep_bytes` first (what an interrupted append left behind is dropped).
  AppendFile(std::filesystem::path path, std::size_t keep_bytes);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  void append(std::string_view text);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace brainquant
