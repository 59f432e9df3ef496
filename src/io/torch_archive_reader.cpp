#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <mutex>
#include <set>
#include <span>
#include <type_traits>

#include "brainquant/support/error.h"
#include "io/half_float.h"
#include "io/torch_archive.h"
#include "io/zip_directory.h"
#include "support/sha256.h"

namespace brainquant {

static_assert(std::endian::native == std::endian::little, "records are read as they lie in the file");

namespace {

constexpr std::uint64_t kMaxPickleBytes = std::uint64_t{16} << 20;
constexpr std::size_t kPieceBytes = std::size_t{256} << 10;  // stays in the cache between reading and checking
// A tensor with strides of 0 can be larger than its storage; beyond this many elements it is taken for an attack.
constexpr std::int64_t kMaxExpandedElements = std::int64_t{1} << 24;

class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path) : path_(path.string()) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw FileError(path_, fmt::format("cannot open: {}", std::strerror(errno)));
    struct stat status;
    const bool known = ::fstat(fd_, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
      const bool is_folder = known && S_ISDIR(status.st_mode);
      ::close(fd_);
      throw FileError(path_, is_folder ? "is a folder, not a file" : "is not a regular file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    written_ = status.st_mtim;
  }
  ~InputFile() { ::close(fd_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }

  /// Not by the time of the last change of status, which giving the path to another file changes too.
  bool is_unchanged() const {
    struct stat status;
    return ::fstat(fd_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) == size_ &&
           status.st_mtim.tv_sec == written_.tv_sec && status.st_mtim.tv_nsec == written_.tv_nsec;
  }

  /// Less than `count` only at the end of the file.
  std::size_t read_at(std::uint64_t position, void* to, std::size_t count) const {
    std::size_t done = 0;
    while (done < count) {
      const ssize_t got =
          ::pread(fd_, static_cast<char*>(to) + done, count - done, static_cast<off_t>(position + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw FileError(path_, fmt::format("cannot read: {}", std::strerror(errno)));
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  struct timespec written_ {};
};

// What every file has before anything else is tried: messages for the usual mistakes.
const InputFile& checked(const InputFile& file) {
  if (file.size() == 0) throw FormatError(file.path(), "", "is empty");
  char begin[32] = {};
  const std::string_view text(begin, file.read_at(0, begin, sizeof begin));
  constexpr std::string_view kOldMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);
  if (text.starts_with(kOldMagic)) {
    throw FormatError(file.path(), "",
                      "is in the format of PyTorch before 1.6; load it there and save it again with torch.save");
  }
  constexpr std::string_view kHdf5("\x89HDF", 4);
  if (text.starts_with(kHdf5)) throw FormatError(file.path(), "", "is an HDF5 file (recordings or logits), no model");
  if (!text.starts_with("PK")) throw FormatError(file.path(), "", "is not a file of torch.save (no zip archive)");
  return file;
}

std::string hexadecimal(std::uint32_t crc) { return fmt::format("CRC-32 {:08x}", crc); }

}  // namespace

struct TorchArchiveReader::Impl {
  InputFile file;
  ZipDirectory directory;
  PickleValue root;
  mutable std::mutex mutex;  // of the directory, which reads headers, and of what follows
  mutable std::set<std::string> verified;

  explicit Impl(const std::filesystem::path& path)
      : file(path), directory(checked(file).path(), file.size(), [this](std::uint64_t at, void* to, std::size_t count) {
          return file.read_at(at, to, count);
        }) {}

  const ZipRecord& record(const std::string& name) const {
    const auto found = directory.records().find(name);
    if (found == directory.records().end()) throw FormatError(file.path(), name, "is missing from the archive");
    return found->second;
  }

  // Copies bytes [from, from + count) of a record. Its checksum covers all of it: a record that is asked for in parts
  // is read through once before the first part is handed out.
  void read(const std::string& name, std::uint64_t from, void* to, std::uint64_t count) const {
    const ZipRecord& entry = record(name);
    const std::uint64_t begin = begin_of(name, entry);
    const bool known_good = is_verified(name);
    char* const target = static_cast<char*>(to);
    if (from == 0 && count == entry.size) {
      const std::uint32_t crc = copy(name, begin, count, [&](std::uint64_t at) { return target + at; });
      if (!known_good) compare(name, crc, entry.crc);
    } else {
      if (!known_good) {
        std::vector<char> piece(kPieceBytes);
        compare(name, copy(name, begin, entry.size, [&](std::uint64_t) { return piece.data(); }), entry.crc);
      }
      copy(name, begin + from, count, [&](std::uint64_t at) { return target + at; });
    }
  }

  // Reads a record once more than anybody needs, for its checksum. `piece` is room for kPieceBytes.
  void verify(const std::string& name, std::vector<char>& piece) const {
    const ZipRecord& entry = record(name);
    const std::uint64_t begin = begin_of(name, entry);
    compare(name, copy(name, begin, entry.size, [&](std::uint64_t) { return piece.data(); }), entry.crc);
  }

  // Where a record's bytes begin.
  std::uint64_t begin_of(const std::string& name, const ZipRecord& entry) const {
    const std::lock_guard lock(mutex);
    const std::uint64_t begin = directory.offset_of(name, entry);
    if (begin > file.size() || entry.size > file.size() - begin) {
      throw FormatError(file.path(), name, "reaches past the end of the file");
    }
    return begin;
  }

  bool is_verified(const std::string& name) const {
    const std::lock_guard lock(mutex);
    return !directory.has_checksums() || verified.contains(name);
  }

  void compare(const std::string& name, std::uint32_t found, std::uint32_t expected) const {
    if (found != expected) {
      throw FormatError(file.path(), name, hexadecimal(found),
                        fmt::format("{}: the record is damaged", hexadecimal(expected)));
    }
    const std::lock_guard lock(mutex);
    verified.insert(name);
  }

  // Reads in pieces to where `target_of` says; returns the CRC-32 (0 if it is not needed).
  template <class TargetOf>
  std::uint32_t copy(const std::string& name, std::uint64_t begin, std::uint64_t count, TargetOf target_of) const {
    uLong crc = ::crc32(0, nullptr, 0);
    for (std::uint64_t at = 0; at < count;) {
      const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, count - at));
      char* const target = target_of(at);
      if (file.read_at(begin + at, target, piece) != piece) {
        throw FormatError(file.path(), name, "reaches past the end of the file");
      }
      if (directory.has_checksums())
        crc = ::crc32(crc, reinterpret_cast<const Bytef*>(target), static_cast<uInt>(piece));
      at += piece;
    }
    return static_cast<std::uint32_t>(crc);
  }

  std::string read_text(const std::string& name, std::uint64_t max_bytes) const {
    const std::uint64_t size = record(name).size;
    if (size > max_bytes) {
      throw FormatError(file.path(), name, fmt::format("{} bytes", size), fmt::format("at most {}", max_bytes));
    }
    std::string text(size, '\0');
    read(name, 0, text.data(), size);
    return text;
  }

  // PyTorch's limits; it looks for the record in this order.
  void check_version() const {
    constexpr int kOldest = 1, kNewest = 10;
    const char* const name = directory.records().contains(".data/version") ? ".data/version" : "version";
    const std::string text = read_text(name, 64);
    int version = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    const bool is_number =
        error == std::errc() && text.find_last_not_of(" \n\r\t") + 1 == static_cast<std::size_t>(end - text.data());
    if (!is_number || version < kOldest || version > kNewest) {
      throw FormatError(file.path(), name, fmt::format("'{}'", text.substr(0, text.find_last_not_of(" \n\r\t") + 1)),
                        fmt::format("an archive version from {} to {}", kOldest, kNewest));
    }
  }

  // The span of storage elements that a tensor uses, checked against the record.
  struct Span {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    bool is_contiguous = false;  // the span's elements in order are the tensor's
  };

  Span span_of(const PickleField& field) const {
    const PickleTensor& tensor = field.as_tensor();
    const std::uint64_t size = record("data/" + tensor.storage.key).size;
    const std::uint64_t element = bytes_per_element(tensor.storage.type);
    const auto in_storage = static_cast<std::uint64_t>(tensor.storage.elements);
    if (size % element != 0 || size / element != in_storage) {
      throw FormatError(file.path(), field.where(), fmt::format("a storage of {} bytes", size),
                        fmt::format("{} {} elements", in_storage, name_of(tensor.storage.type)));
    }
    Span span;
    if (tensor.elements() == 0) return {0, 0, true};
    if (tensor.elements() > std::max(tensor.storage.elements, kMaxExpandedElements)) {
      field.fail(fmt::format("{} elements from a storage of {}", tensor.elements(), in_storage));
    }
    std::uint64_t last = static_cast<std::uint64_t>(tensor.storage_offset);
    std::int64_t expected_stride = 1;
    span.is_contiguous = true;
    for (std::size_t d = tensor.shape.size(); d-- > 0;) {
      const std::int64_t steps = tensor.shape[d] - 1;
      if (steps == 0) continue;
      const std::int64_t stride = tensor.strides[d];
      if (last >= in_storage || stride > static_cast<std::int64_t>(in_storage - last) / steps) {
        last = in_storage;
        break;
      }
      last += static_cast<std::uint64_t>(stride) * static_cast<std::uint64_t>(steps);
      span.is_contiguous &= stride == expected_stride;
      expected_stride *= tensor.shape[d];
    }
    if (last >= in_storage) {
      field.fail(fmt::format("shape [{}], strides [{}] and offset {} leave a storage of {} elements",
                             fmt::join(tensor.shape, ", "), fmt::join(tensor.strides, ", "), tensor.storage_offset,
                             in_storage));
    }
    span.first = static_cast<std::uint64_t>(tensor.storage_offset);
    span.count = last - span.first + 1;
    return span;
  }

  // Calls visit(position in the span) for each of the tensor's elements in row-major order.
  template <class Visit>
  static void for_each_element(const PickleTensor& tensor, Visit visit) {
    const std::size_t dimensions = tensor.shape.size();
    std::vector<std::int64_t> index(dimensions, 0);
    std::uint64_t position = 0;
    const std::int64_t count = tensor.elements();
    for (std::int64_t i = 0; i < count; ++i) {
      visit(position);
      for (std::size_t d = dimensions; d-- > 0;) {
        position += static_cast<std::uint64_t>(tensor.strides[d]);
        if (++index[d] < tensor.shape[d]) break;
        position -= static_cast<std::uint64_t>(tensor.strides[d]) * static_cast<std::uint64_t>(tensor.shape[d]);
        index[d] = 0;
      }
    }
  }

  // Elements of stored type From as To; `convert` turns one into the other.
  template <class From, class To, class Convert>
  std::vector<To> read_as(const PickleField& field, Convert convert) const {
    const PickleTensor& tensor = field.as_tensor();
    const Span span = span_of(field);
    const std::string name = "data/" + tensor.storage.key;
    std::vector<From> stored(span.count);
    read(name, span.first * sizeof(From), stored.data(), span.count * sizeof(From));
    if constexpr (std::is_same_v<From, To>) {
      if (span.is_contiguous) return stored;
    }
    std::vector<To> values(static_cast<std::size_t>(tensor.elements()));
    if (span.is_contiguous) {
      std::transform(stored.begin(), stored.end(), values.begin(), convert);
    } else {
      auto to = values.begin();
      for_each_element(tensor, [&](std::uint64_t position) { *to++ = convert(stored[position]); });
    }
    return values;
  }

  template <class T>
  std::vector<T> read_exactly(const PickleField& field, TensorType type) const {
    require_type(field, field.as_tensor().storage.type == type, name_of(type));
    return read_as<T, T>(field, [](T value) { return value; });
  }

  static void require_type(const PickleField& field, bool fits, const char* expected) {
    if (!fits) {
      throw FormatError(field.path(), field.where(), field.value().description(),
                        fmt::format("a tensor of {}", expected));
    }
  }
};

TorchArchiveReader::TorchArchiveReader(const std::filesystem::path& path, const RunContext& context)
    : impl_(std::make_unique<Impl>(path)) {
  const InputFile& file = impl_->file;
  const auto& records = impl_->directory.records();
  if (records.contains("constants.pkl")) {
    throw FormatError(file.path(), "", "is a TorchScript archive; needed is a file of torch.save");
  }
  if (!impl_->directory.compressed().empty()) {
    throw FormatError(file.path(), impl_->directory.compressed(), "is compressed, which torch.save never does");
  }
  if (!records.contains("data.pkl"))
    throw FormatError(file.path(), "data.pkl", "is missing: the zip is no file of torch.save");
  impl_->check_version();
  if (records.contains("byteorder") && impl_->read_text("byteorder", 16) != "little") {
    throw FormatError(file.path(), "byteorder", "was saved on a big-endian machine, which is not supported");
  }
  if (!impl_->directory.has_checksums()) {
    context.log.warning(
        fmt::format("{}: was saved without checksums; damage to its tensors can't be noticed", file.path()));
  }
  impl_->root = read_pickle(impl_->read_text("data.pkl", kMaxPickleBytes), file.path(), "data.pkl");
}

TorchArchiveReader::~TorchArchiveReader() = default;

const PickleValue& TorchArchiveReader::root() const { return impl_->root; }

PickleField TorchArchiveReader::root_field() const { return PickleField(impl_->root, impl_->file.path(), ""); }

std::size_t TorchArchiveReader::verify_records(const RunContext& context) const {
  const auto& records = impl_->directory.records();
  std::vector<char> piece(kPieceBytes);
  std::size_t done = 0;
  for (const auto& [name, record] : records) {
    context.cancel.check();
    impl_->verify(name, piece);
    context.progress.update("verifying", static_cast<std::int64_t>(++done), static_cast<std::int64_t>(records.size()));
  }
  return done;
}

bool TorchArchiveReader::has_checksums() const { return impl_->directory.has_checksums(); }

std::uint64_t TorchArchiveReader::file_bytes() const { return impl_->file.size(); }

std::string TorchArchiveReader::file_sha256() const {
  Sha256 hash;
  std::vector<char> piece(kPieceBytes);
  std::uint64_t at = 0;
  while (const std::size_t got = impl_->file.read_at(at, piece.data(), piece.size())) {
    hash.update(piece.data(), got);
    at += got;
  }
  return hash.hex();
}

void TorchArchiveReader::require_unchanged() const {
  if (!impl_->file.is_unchanged()) throw FileError(impl_->file.path(), "was changed while it was read");
}

std::vector<float> TorchArchiveReader::read_float32(const PickleField& field) const {
  switch (field.as_tensor().storage.type) {
    case TensorType::float32:
      return impl_->read_exactly<float>(field, TensorType::float32);
    case TensorType::float64:
      return impl_->read_as<double, float>(field, [](double value) { return static_cast<float>(value); });
    case TensorType::float16:
      return impl_->read_as<std::uint16_t, float>(field, float_from_half);
    case TensorType::bfloat16:
      return impl_->read_as<std::uint16_t, float>(field, float_from_bfloat16);
    default:
      Impl::require_type(field, false, "float32, float64, float16 or bfloat16");
  }
  return {};
}

std::vector<std::uint16_t> TorchArchiveReader::read_float16_bits(const PickleField& field) const {
  return impl_->read_exactly<std::uint16_t>(field, TensorType::float16);
}

std::vector<std::int8_t> TorchArchiveReader::read_int8(const PickleField& field) const {
  return impl_->read_exactly<std::int8_t>(field, TensorType::int8);
}

std::vector<std::uint8_t> TorchArchiveReader::read_uint8(const PickleField& field) const {
  return impl_->read_exactly<std::uint8_t>(field, TensorType::uint8);
}

std::vector<std::int32_t> TorchArchiveReader::read_int32(const PickleField& field) const {
  return impl_->read_exactly<std::int32_t>(field, TensorType::int32);
}

std::vector<std::int64_t> TorchArchiveReader::read_int64(const PickleField& field) const {
  return impl_->read_exactly<std::int64_t>(field, TensorType::int64);
}

}  // namespace brainquant
