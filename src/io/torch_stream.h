// LibTorch's reader and writer of zip archives behind an interface without its headers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace brainquant {

/// The archive's directory as PyTorchStreamReader sees it. Whatever LibTorch throws becomes a FormatError of one line.
class TorchStreamDirectory {
 public:
  /// Reads up to `count` bytes at `position`; returns how many there were.
  using ReadAt = std::function<std::size_t(std::uint64_t position, void* to, std::size_t count)>;

  TorchStreamDirectory(const std::string& path, std::uint64_t file_size, ReadAt read_at);
  ~TorchStreamDirectory();

  bool has(const std::string& record) const;
  /// Where the record's bytes begin in the file.
  std::uint64_t offset_of(const std::string& record) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The archive as PyTorchStreamWriter makes it, handed piece by piece to `write`, which may throw.
class TorchStreamWriter {
 public:
  using Write = std::function<void(const void* data, std::size_t bytes)>;

  TorchStreamWriter(const std::string& path, Write write);
  ~TorchStreamWriter();

  void write_record(const std::string& name, const void* data, std::size_t bytes);
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
