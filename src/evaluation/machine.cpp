#include "evaluation/machine.h"

#include <fstream>
#include <sstream>

#include "support/cores.h"
#include "torch/libtorch_environment.h"

namespace brainquant {

namespace {

// What stands behind "KEY : " in a file of such lines; "" if it isn't there.
std::string value_in(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

MachineFacts machine_facts() {
  const std::string cpu = value_in("/proc/cpuinfo", "model name");
  return {cpu.empty() ? "unknown" : cpu, usable_cores(), brainquant::libtorch_version()};
}

std::int64_t peak_memory_bytes() {
  std::istringstream text(value_in("/proc/self/status", "VmHWM"));
  std::int64_t kibibytes = 0;
  text >> kibibytes;
  return kibibytes * 1024;
}

}  // namespace brainquant
