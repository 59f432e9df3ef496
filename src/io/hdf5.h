// Reading HDF5 files as plain values. Everything that libhdf5 refuses becomes a typed error of one line that names the
// file and the object; libhdf5 itself prints nothing. All HDF5 calls of this library take one process-wide lock,
// because libhdf5 need not be built thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace brainquant {

/// A file's root group, or one in it. Its file must outlive it.
/// Every function throws FormatError naming file, group and object when the object is missing or damaged, or is not
/// what is asked for. Objects that lie in other files (external links, external storage, virtual data sets) are
/// refused.
class Hdf5Group {
 public:
  Hdf5Group(Hdf5Group&&) noexcept;
  Hdf5Group& operator=(Hdf5Group&&) noexcept;
  ~Hdf5Group();

  /// Names of all that lies in the group, in byte order of the names; at most a million.
  std::vector<std::string> names() const;
  bool has_dataset(const std::string& dataset) const;
  /// Sizes of a data set without reading it: [T, 512].
  std::vector<std::int64_t> shape(const std::string& dataset) const;
  /// Numbers of any float or integer type, rounded to float where they are wider; row-major. A data set of more than
  /// `max_values`, or whose values the file does not hold in full, is an error found before memory is allocated for it.
  std::vector<float> floats(const std::string& dataset, std::size_t max_values) const;
  /// Integers of any width and sign.
  std::vector<std::int64_t> integers(const std::string& dataset, std::size_t max_values) const;

  /// A single integer of any width and sign.
  std::int64_t integer_attribute(const std::string& attribute) const;
  /// A single string, of fixed or variable length, at most 64 KiB; cut at the first NUL.
  std::string string_attribute(const std::string& attribute) const;

 private:
  friend class Hdf5File;
  struct Impl;
  explicit Hdf5Group(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// An HDF5 file opened for reading.
class Hdf5File {
 public:
  /// Throws FileError (missing, not a file, unreadable), FormatError (not HDF5, truncated, damaged).
  explicit Hdf5File(std::filesystem::path path);
  ~Hdf5File();
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  const std::filesystem::path& path() const;
  /// Names of all that lies in the root group.
  std::vector<std::string> names() const { return group("/").names(); }
  /// A group by its name in the root group, or the root itself ("/").
  Hdf5Group group(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Of the library that is linked: "1.10.8".
std::string hdf5_version();

}  // namespace brainquant
