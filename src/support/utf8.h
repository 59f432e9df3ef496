// UTF-8, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brainquant {

/// Takes the first code point off `text`, which must not be empty. Nothing for bytes that are no UTF-8 (overlong forms
/// and surrogates are none).
inline std::optional<char32_t> take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = byte(0);
  const std::size_t length = first < 0x80         ? 1
                             : first >> 5 == 0x6  ? 2
                             : first >> 4 == 0xe  ? 3
                             : first >> 3 == 0x1e ? 4
                                                  : 0;
  if (length == 0 || length > text.size()) return std::nullopt;
  std::uint32_t point = length == 1 ? first : first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 0x2) return std::nullopt;
    point = point << 6 | (byte(i) & 0x3f);
  }
  constexpr std::uint32_t kLowest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kLowest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return std::nullopt;
  text.remove_prefix(length);
  return static_cast<char32_t>(point);
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (!take_code_point(text)) return false;
  }
  return true;
}

/// `text` with U+FFFD for every byte that is no part of UTF-8.
std::string valid_utf8(std::string_view text);

}  // namespace brainquant
