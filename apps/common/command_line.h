// The command that started the program.
#pragma once

#include <string>

namespace brainquant::app {

/// As one line for a shell, from the folder that the program was started in. What a shell would read otherwise is
/// quoted.
std::string command_line(int argc, const char* const* argv);

}  // namespace brainquant::app
