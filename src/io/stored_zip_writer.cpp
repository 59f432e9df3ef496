#include "io/stored_zip_writer.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>

namespace brainquant {

namespace {

// Field widths and values by PKWARE's APPNOTE.TXT.
constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kMost16 = 0xffff;      // in a 16-bit field: the value stands in the ZIP64 record
constexpr std::uint64_t kMost32 = 0xffffffff;  // in a 32-bit field: the value stands in the ZIP64 extra field
constexpr std::uint64_t kVersion = 20;
constexpr std::uint64_t kVersionZip64 = 45;
constexpr std::uint64_t kFirstOfJanuary1980 = 1 | 1 << 5;
constexpr std::uint64_t kZip64Field = 1;
constexpr std::uint64_t kPaddingField = 'F' | 'B' << 8;  // as PyTorch calls its own
constexpr std::uint64_t kLocalHeaderBytes = 30;
constexpr std::uint64_t kFieldHeaderBytes = 4;

/// Little-endian numbers one after the other.
class Fields {
 public:
  Fields& add16(std::uint64_t value) { return add(value, 2); }
  Fields& add32(std::uint64_t value) { return add(value, 4); }
  Fields& add64(std::uint64_t value) { return add(value, 8); }
  Fields& add(const std::string& text) {
    bytes_ += text;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Fields& add(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  std::string bytes_;
};

std::uint32_t crc_of(const void* data, std::uint64_t bytes) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 30;  // zlib counts in 32 bits
  const auto* at = static_cast<const Bytef*>(data);
  uLong crc = ::crc32(0, nullptr, 0);
  for (std::uint64_t done = 0; done < bytes; done += kPiece) {
    crc = ::crc32(crc, at + done, static_cast<uInt>(std::min(kPiece, bytes - done)));
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace

void StoredZipWriter::put(const void* data, std::uint64_t bytes) {
  if (bytes == 0) return;
  write_(data, static_cast<std::size_t>(bytes));
  position_ += bytes;
}

void StoredZipWriter::add(const std::string& name, const void* data, std::uint64_t bytes) {
  const Entry entry{name, bytes, position_, crc_of(data, bytes)};
  const bool zip64 = bytes >= kMost32;
  Fields extra;
  if (zip64) extra.add16(kZip64Field).add16(16).add64(bytes).add64(bytes);
  const std::uint64_t unpadded = position_ + kLocalHeaderBytes + name.size() + extra.bytes().size() + kFieldHeaderBytes;
  const std::uint64_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
  extra.add16(kPaddingField).add16(padding).add(std::string(padding, '\0'));
  Fields header;
  header.add32(0x04034b50).add16(zip64 ? kVersionZip64 : kVersion);
  header.add16(0).add16(0);                    // no flags; stored
  header.add16(0).add16(kFirstOfJanuary1980);  // time, date
  header.add32(entry.crc);
  header.add32(zip64 ? kMost32 : bytes).add32(zip64 ? kMost32 : bytes);
  header.add16(name.size()).add16(extra.bytes().size());
  put(header.bytes() + name + extra.bytes());
  put(data, bytes);
  entries_.push_back(entry);
}

void StoredZipWriter::finish() {
  const std::uint64_t begin = position_;
  for (const Entry& entry : entries_) {
    const bool large = entry.size >= kMost32;
    const bool far = entry.offset >= kMost32;
    Fields zip64;
    if (large) zip64.add64(entry.size).add64(entry.size);
    if (far) zip64.add64(entry.offset);
    Fields extra;
    if (large || far) extra.add16(kZip64Field).add16(zip64.bytes().size()).add(zip64.bytes());
    const std::uint64_t version = large || far ? kVersionZip64 : kVersion;
    Fields header;
    header.add32(0x02014b50).add16(version).add16(version);  // made by, needed
    header.add16(0).add16(0);
    header.add16(0).add16(kFirstOfJanuary1980);
    header.add32(entry.crc);
    header.add32(large ? kMost32 : entry.size).add32(large ? kMost32 : entry.size);
    header.add16(entry.name.size()).add16(extra.bytes().size()).add16(0);  // no comment
    header.add16(0).add16(0).add32(0);                                     // disk, attributes
    header.add32(far ? kMost32 : entry.offset);
    put(header.bytes() + entry.name + extra.bytes());
  }
  const std::uint64_t end = position_;
  const std::uint64_t count = entries_.size();
  Fields last;
  if (count >= kMost16 || end - begin >= kMost32 || begin >= kMost32) {
    last.add32(0x06064b50).add64(44).add16(kVersionZip64).add16(kVersionZip64).add32(0).add32(0);
    last.add64(count).add64(count).add64(end - begin).add64(begin);
    last.add32(0x07064b50).add32(0).add64(end).add32(1);
  }
  last.add32(0x06054b50).add16(0).add16(0).add16(std::min(count, kMost16)).add16(std::min(count, kMost16));
  last.add32(std::min(end - begin, kMost32)).add32(std::min(begin, kMost32)).add16(0);
  put(last.bytes());
}

}  // namespace brainquant
