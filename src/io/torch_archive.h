// Archives of torch.save (a zip of uncompressed records: data.pkl, data/0, data/1, ...) without LibTorch in the
// interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "brainquant/support/run_context.h"
#include "io/pickle.h"

namespace brainquant {

/// Opens an archive and reads its pickle; tensors are read one at a time, when asked for. Every record that is read is
/// compared with its CRC-32 in the zip's directory; an archive saved without them
/// (torch.serialization.set_crc32_options(False)) is read all the same, with a log.warning. Functions throw FileError
/// (missing, unreadable) and FormatError (naming the file and the record or tensor). Several threads may
/// read tensors at once.
class TorchArchiveReader {
 public:
  explicit TorchArchiveReader(const std::filesystem::path& path, const RunContext& context = {});
  ~TorchArchiveReader();
  TorchArchiveReader(const TorchArchiveReader&) = delete;
  TorchArchiveReader& operator=(const TorchArchiveReader&) = delete;

  /// The pickled value.
  const PickleValue& root() const;
  /// The pickled value with its place, for reading fields that must be there. Valid as long as the reader.
  PickleField root_field() const;
  /// False if the archive was saved without checksums.
  bool has_checksums() const;
  /// Reads every record of the archive's folder, also those that nothing else asks for, and compares its CRC-32.
  /// Returns how many there are. Throws Interrupted if `context` is cancelled.
  std::size_t verify_records(const RunContext& context) const;

  std::uint64_t file_bytes() const;
  /// SHA-256 of the file that is open, whatever lies at its path by now. May be called while another thread reads
  /// tensors.
  std::string file_sha256() const;
  /// Throws FileError if the file was written to since it was opened: what was read of it may not belong together.
  void require_unchanged() const;

  // A tensor's elements, contiguous and row-major whatever its strides. `field` names the tensor in messages. Throw
  // FormatError if the tensor's type is another, if its strides or offset leave the storage, or if the record is
  // damaged.
  std::vector<float> read_float32(const PickleField& field) const;  // from float16, bfloat16, float32, float64
  std::vector<std::uint16_t> read_float16_bits(const PickleField& field) const;  // IEEE binary16
  std::vector<std::int8_t> read_int8(const PickleField& field) const;
  std::vector<std::uint8_t> read_uint8(const PickleField& field) const;
  std::vector<std::int32_t> read_int32(const PickleField& field) const;
  std::vector<std::int64_t> read_int64(const PickleField& field) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes an archive that torch.load(path, weights_only=True) reads, also with mmap=True. Each tensor goes to the disk
/// as it is added; the file gets its name at commit(). The same calls give the same bytes, whatever the file is called.
class TorchArchiveWriter {
 public:
  /// Throws FileError as AtomicFile does; so do the other functions.
  explicit TorchArchiveWriter(const std::filesystem::path& path);
  ~TorchArchiveWriter();
  TorchArchiveWriter(const TorchArchiveWriter&) = delete;
  TorchArchiveWriter& operator=(const TorchArchiveWriter&) = delete;

  /// Writes a contiguous row-major tensor; `data` holds product(shape) elements of `type`. Returns what to put into the
  /// root.
  PickleValue add_tensor(TensorType type, const std::vector<std::int64_t>& shape, const void* data);
  /// Writes the pickle and gives the file its name. `root` is made of plain values and of tensors from add_tensor.
  void commit(const PickleValue& root);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
