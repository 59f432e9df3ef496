#include "common/command_line.h"

#include <filesystem>
#include <string_view>
#include <system_error>

namespace brainquant::app {

namespace {

std::string shell_quoted(std::string_view argument) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+./,:@%";
  if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string_view::npos) return std::string(argument);
  std::string text = "'";
  for (const char c : argument) {
    if (c == '\'') {
      text += "'\\''";
    } else {
      text += c;
    }
  }
  return text + "'";
}

}  // namespace

std::string command_line(int argc, const char* const* argv) {
  std::error_code error;
  const std::string folder = std::filesystem::current_path(error).string();
  std::string line = error ? "" : "cd " + shell_quoted(folder) + " &&";
  for (int i = 0; i < argc; ++i) line += (line.empty() ? "" : " ") + shell_quoted(argv[i]);
  return line;
}

}  // namespace brainquant::app
