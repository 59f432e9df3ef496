#include "io/zip_directory.h"

#include <fmt/format.h>
#include <zip.h>

#include <memory>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

std::string text_of(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

}  // namespace

ZipDirectory read_zip_directory(const std::string& path, std::uint64_t file_size) {
  int code = 0;
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive(zip_open(path.c_str(), ZIP_RDONLY, &code), &zip_discard);
  if (!archive)
    throw FormatError(path, "",
                      fmt::format("the zip's directory can't be read ({}): cut off or damaged", text_of(code)));

  ZipDirectory directory;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count <= 0) throw FormatError(path, "", "is a zip archive that holds no records");
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
    if (zip_stat_index(archive.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW, &stat) != 0 ||
        (stat.valid & kNeeded) != kNeeded) {
      throw FormatError(path, fmt::format("zip entry {}", i), "is damaged");
    }
    const std::string full_name = stat.name;
    const std::string name = full_name.substr(full_name.find('/') + 1);
    const bool is_stored = stat.comp_method == ZIP_CM_STORE && stat.size == stat.comp_size;
    if (!is_stored && directory.compressed.empty()) directory.compressed = name;
    if (is_stored && stat.size > file_size) {
      throw FormatError(path, name, fmt::format("a record of {} bytes", stat.size),
                        fmt::format("no more than the file's {}", file_size));
    }
    if (!directory.records.emplace(name, ZipRecord{stat.size, stat.crc}).second) {
      throw FormatError(path, name, "is there twice");
    }
    directory.has_checksums |= stat.crc != 0;
  }
  return directory;
}

}  // namespace brainquant
