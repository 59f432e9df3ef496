// Files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace brainquant {

/// What is at a path that is to be written.
enum class OutputKind {
  nothing,       // a new file will be made
  regular_file,  // will be replaced
  stream,  // a FIFO, a character device, or a descriptor of this process (/dev/stdout, /dev/fd/N): can only be fed
};

/// Follows symbolic links; opens nothing. Throws FileError for what can't be written to: a folder, a block device, a
/// socket, a loop of links, a descriptor that isn't open for writing.
OutputKind output_kind(const std::filesystem::path& path);

/// Writes to a temporary file; commit() makes it durable and gives it its name. A file that is destroyed without
/// commit() leaves nothing behind. Symbolic links stay: the file they lead to is the one that is replaced or made, and
/// the temporary file lies beside it. For a stream (OutputKind) the temporary file lies in the system's folder for
/// such, and commit() copies it to the stream, which is neither opened nor written to before. Every function throws
/// FileError when the system refuses (a full disk, say) or the path can't be written to (output_kind).
class AtomicFile {
 public:
  /// Creates missing parent folders and the temporary file.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// fsync, rename over the file, fsync of the folder. A stream is opened and fed instead, which waits for a FIFO's
  /// reader: throws Interrupted when a signal handler (installed without SA_RESTART) ends the wait.
  void commit();

  const std::filesystem::path& path() const { return path_; }
  /// Where the bytes lie until commit(), for libraries that write files themselves: an empty file, which another of the
  /// same name may replace.
  const std::filesystem::path& temporary_path() const { return temporary_; }

 private:
  void open_again_if_replaced();
  void feed_stream();
  [[noreturn]] void refuse_write() const;

  std::filesystem::path path_;
  std::filesystem::path target_;  // path_ with the links at its end followed
  std::filesystem::path temporary_;
  bool stream_ = false;
  int descriptor_ = -1;  // of this process, which the path names; or -1
  int fd_ = -1;          // of the temporary file
};

void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// The whole file as bytes. FileError when it can't be read, FormatError when it is larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes);

/// A file that finished units of work are appended to, each durable before append() returns.
class AppendFile {
 public:
  /// Opens a regular file for appending, cut to `keep_bytes` first (what an interrupted append left behind is dropped).
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
