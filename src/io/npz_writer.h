// NumPy's archives of arrays (.npz): a zip of .npy files of version 1.0, uncompressed, laid out as numpy.lib.format
// describes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "io/stored_zip_writer.h"
#include "support/atomic_file.h"

namespace brainquant {

/// Writes an archive whole or not at all; archives beyond 4 GiB are ZIP64. The same members give the same bytes. Every
/// function throws FileError when the system refuses to write.
class NpzWriter {
 public:
  explicit NpzWriter(std::filesystem::path path);

  /// A float32 array [rows, columns], row-major; both may be 0. np.load(path)[name] reads it. `name` in ASCII.
  void add(const std::string& name, const float* values, std::int64_t rows, std::int64_t columns);
  /// A member that is no array: np.load(path)[name] gives its bytes.
  void add_text(const std::string& name, const std::string& text);
  /// The archive is complete and gets its name.
  void commit();

 private:
  AtomicFile file_;
  StoredZipWriter zip_;
};

}  // namespace brainquant
