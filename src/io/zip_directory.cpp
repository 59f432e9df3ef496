#include "io/zip_directory.h"

#include <fmt/format.h>
#include <zip.h>

#include <cerrno>
#include <exception>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "brainquant/support/error.h"

namespace brainquant {

/// libzip's archive over `read_at`.
struct ZipDirectory::Archive {
  std::uint64_t size = 0;
  ReadAt read_at;
  std::uint64_t position = 0;
  std::optional<std::uint64_t> first_read;  // where libzip read first since this was reset
  std::exception_ptr failure;               // of read_at: libzip is C code, through which nothing may be thrown
  zip_error_t error;
  zip_t* zip = nullptr;

  Archive(std::uint64_t file_size, ReadAt read) : size(file_size), read_at(std::move(read)) { zip_error_init(&error); }
  ~Archive() {
    if (zip != nullptr) zip_discard(zip);
    zip_error_fini(&error);
  }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  void rethrow_failure() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  }

  zip_int64_t read(void* to, zip_uint64_t count) {
    if (!first_read) first_read = position;
    try {
      const std::size_t got = read_at(position, to, static_cast<std::size_t>(count));
      position += got;
      return static_cast<zip_int64_t>(got);
    } catch (...) {
      failure = std::current_exception();
      zip_error_set(&error, ZIP_ER_READ, EIO);
      return -1;
    }
  }

  // What libzip asks of a source that can be read and sought in (zip_source_function(3)).
  static zip_int64_t answer(void* self, void* data, zip_uint64_t length, zip_source_cmd_t command) {
    Archive& own = *static_cast<Archive*>(self);
    switch (command) {
      case ZIP_SOURCE_OPEN:
        own.position = 0;
        return 0;
      case ZIP_SOURCE_READ:
        return own.read(data, length);
      case ZIP_SOURCE_CLOSE:
      case ZIP_SOURCE_FREE:
        return 0;
      case ZIP_SOURCE_STAT: {
        auto* const stat = static_cast<zip_stat_t*>(data);
        zip_stat_init(stat);
        stat->size = own.size;
        stat->valid |= ZIP_STAT_SIZE;
        return sizeof *stat;
      }
      case ZIP_SOURCE_SEEK: {
        const zip_int64_t to = zip_source_seek_compute_offset(own.position, own.size, data, length, &own.error);
        if (to < 0) return -1;
        own.position = static_cast<std::uint64_t>(to);
        return 0;
      }
      case ZIP_SOURCE_TELL:
        return static_cast<zip_int64_t>(own.position);
      case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&own.error, data, length);
      case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL,
                                              ZIP_SOURCE_SUPPORTS, -1);
      default:
        zip_error_set(&own.error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
  }

  void open(const std::string& path) {
    zip_error_t opening;
    zip_error_init(&opening);
    zip_source_t* const source = zip_source_function_create(&answer, this, &opening);
    if (source != nullptr) zip = zip_open_from_source(source, ZIP_RDONLY, &opening);
    const bool out_of_memory = zip_error_code_zip(&opening) == ZIP_ER_MEMORY;
    const std::string reason = zip == nullptr ? zip_error_strerror(&opening) : "";
    if (zip == nullptr && source != nullptr) zip_source_free(source);
    zip_error_fini(&opening);
    rethrow_failure();
    if (zip == nullptr && out_of_memory) throw std::bad_alloc();
    if (zip == nullptr) {
      throw FormatError(path, "", fmt::format("the zip's directory can't be read ({}): cut off or damaged", reason));
    }
  }
};

ZipDirectory::ZipDirectory(const std::string& path, std::uint64_t file_size, ReadAt read_at)
    : path_(path), archive_(std::make_unique<Archive>(file_size, std::move(read_at))) {
  archive_->open(path);
  const zip_int64_t count = zip_get_num_entries(archive_->zip, 0);
  if (count <= 0) throw FormatError(path, "", "is a zip archive that holds no records");
  std::string top_folder;
  std::vector<std::string> of_other_folders;
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t stat;
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
    if (zip_stat_index(archive_->zip, index, ZIP_FL_ENC_RAW, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
      throw FormatError(path, fmt::format("zip entry {}", i), "is damaged");
    }
    const std::string full_name = stat.name;
    const std::size_t name_begin = full_name.find('/') + 1;  // 0 without a folder
    const std::string name = full_name.substr(name_begin);
    if (i == 0) {
      if (name_begin == 0)
        throw FormatError(path, name, "is not in a folder of the archive, as torch.save would put it");
      top_folder = full_name.substr(0, name_begin);
    }
    const bool is_stored = stat.comp_method == ZIP_CM_STORE && stat.size == stat.comp_size;
    if (!is_stored && compressed_.empty()) compressed_ = name;
    if (is_stored && stat.size > file_size) {
      throw FormatError(path, name, fmt::format("a record of {} bytes", stat.size),
                        fmt::format("no more than the file's {}", file_size));
    }
    if (!records_.emplace(name, ZipRecord{index, stat.size, stat.crc}).second) {
      throw FormatError(path, name, "is there twice");
    }
    if (full_name.compare(0, name_begin, top_folder) != 0) of_other_folders.push_back(name);
    has_checksums_ |= stat.crc != 0;
  }
  for (const std::string& name : of_other_folders) records_.erase(name);
}

ZipDirectory::~ZipDirectory() = default;

std::uint64_t ZipDirectory::offset_of(const std::string& name, const ZipRecord& record) const {
  if (record.size == 0) return 0;
  // libzip tells no offsets: the record begins where it reads the first byte of it. It would compare the CRC-32 only at
  // the end, so that a record saved without one can be opened.
  zip_file_t* const file = zip_fopen_index(archive_->zip, record.index, ZIP_FL_COMPRESSED);
  char first = 0;
  archive_->first_read.reset();
  const bool is_read = file != nullptr && zip_fread(file, &first, 1) == 1;
  const std::string reason = is_read ? "" : file == nullptr ? zip_strerror(archive_->zip) : zip_file_strerror(file);
  if (file != nullptr) zip_fclose(file);
  archive_->rethrow_failure();
  if (!is_read || !archive_->first_read) throw FormatError(path_, name, fmt::format("can't be read ({})", reason));
  return *archive_->first_read;
}

}  // namespace brainquant
