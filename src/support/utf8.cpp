#include "support/utf8.h"

namespace brainquant {

std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const std::string_view before = text;
    if (take_code_point(text)) {
      valid += before.substr(0, before.size() - text.size());
    } else {
      valid += "\xef\xbf\xbd";  // U+FFFD
      text.remove_prefix(1);
    }
  }
  return valid;
}

}  // namespace brainquant
