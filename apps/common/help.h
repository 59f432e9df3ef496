// How --help is laid out: the groups of flags, and examples.
#pragma once

#include <string>

namespace brainquant::app {

/// Below which heading an option's flag stands: that of the documented Python scripts, whose flags come first, or of
/// the part of the library that the option belongs to; kOtherOptions for the rest.
std::string group_of(const std::string& option);
inline constexpr const char* kOtherOptions = "Other options";

/// One to three command lines of a program, each with a line that says what it does. "" for an unknown program.
std::string examples_of(const std::string& program);

}  // namespace brainquant::app
