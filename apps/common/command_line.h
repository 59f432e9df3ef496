// The command that started the program.
#pragma once

#include <string>

namespace brainquant::app {

/// As one line for a shell: arguments that a shell would read otherwise are quoted.
std::string command_line(int argc, const char* const* argv);

}  // namespace brainquant::app
