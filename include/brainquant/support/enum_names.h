// Enumerators and their names, written once for parsing, printing and the choices of a flag.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brainquant {

template <typename Enum>
using EnumName = std::pair<Enum, const char*>;

/// All names of an enumeration, in the order in which --help lists them. Each enumeration of options specializes it.
template <typename Enum>
std::span<const EnumName<Enum>> enum_names();

/// Throws UsageError: "WHAT: found 'TEXT', expected one of a, b".
[[noreturn]] void refuse_name(std::string_view what, std::string_view text, const std::vector<std::string>& expected);
/// Throws UsageError: an enumerator that has no name can't have come from a flag or a file.
[[noreturn]] void refuse_enumerator(int value);

template <typename Enum>
std::string enum_name(Enum value) {
  for (const auto& [known, name] : enum_names<Enum>()) {
    if (known == value) return name;
  }
  refuse_enumerator(static_cast<int>(value));
}

/// Throws UsageError for a text that is no name; `what` is the option or field that holds it.
template <typename Enum>
Enum parse_enum(std::string_view what, std::string_view text) {
  std::vector<std::string> expected;
  for (const auto& [value, name] : enum_names<Enum>()) {
    if (text == name) return value;
    expected.emplace_back(name);
  }
  refuse_name(what, text, expected);
}

}  // namespace brainquant
