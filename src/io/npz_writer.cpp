#include "io/npz_writer.h"

#include <fmt/format.h>

#include <bit>

namespace brainquant {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

namespace {

constexpr std::size_t kAlignment = 64;  // of the values, by numpy.lib.format

// What stands before the values: magic, version 1.0, the length of the description, the description padded with spaces.
std::string npy_header(std::int64_t rows, std::int64_t columns) {
  std::string header("\x93NUMPY\x01\x00", 8);
  std::string description =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  const std::size_t unpadded = header.size() + 2 + description.size() + 1;
  description.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  description += '\n';
  header += static_cast<char>(description.size() & 0xff);
  header += static_cast<char>(description.size() >> 8);
  return header + description;
}

}  // namespace

NpzWriter::NpzWriter(std::filesystem::path path)
    : file_(std::move(path)), zip_([this](const void* data, std::size_t bytes) { file_.write(data, bytes); }) {}

void NpzWriter::add(const std::string& name, const float* values, std::int64_t rows, std::int64_t columns) {
  std::string member = npy_header(rows, columns);
  const auto count = static_cast<std::size_t>(rows * columns);
  if (count > 0) member.append(reinterpret_cast<const char*>(values), count * sizeof(float));
  add_text(name + ".npy", member);
}

void NpzWriter::add_text(const std::string& name, const std::string& text) { zip_.add(name, text.data(), text.size()); }

void NpzWriter::commit() {
  zip_.finish();
  file_.commit();
}

}  // namespace brainquant
