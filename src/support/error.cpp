#include "brainquant/support/error.h"

#include <fmt/format.h>

namespace brainquant {

namespace {
std::string located(const std::string& path, const std::string& where) {
  return where.empty() ? path : fmt::format("{}: {}", path, where);
}
}  // namespace

FileError::FileError(const std::string& path, const std::string& problem)
    : Error(fmt::format("{}: {}", path, problem)) {}

FormatError::FormatError(const std::string& path, const std::string& where, const std::string& problem)
    : Error(fmt::format("{}: {}", located(path, where), problem)) {}

FormatError::FormatError(const std::string& path, const std::string& where, const std::string& found,
                         const std::string& expected)
    : Error(fmt::format("{}: found {}, expected {}", located(path, where), found, expected)) {}

}  // namespace brainquant
