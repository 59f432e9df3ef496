// Text of unknown origin on its way to a terminal.
#pragma once

#include <string>

namespace brainquant {

/// One line without control characters (C0, DEL and C1): each becomes a space. A file's names and notes could else move
/// a terminal's cursor or forge lines.
inline std::string printable(std::string text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_c1 = byte(i) == 0xc2 && i + 1 < text.size() && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9f;
    if (is_c1) text.replace(i, 2, " ");
    if (byte(i) < 0x20 || byte(i) == 0x7f) text[i] = ' ';
  }
  return text;
}

}  // namespace brainquant
