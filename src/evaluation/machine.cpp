#include "brainquant/evaluation/machine.h"

#include <sched.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "brainquant/torch/libtorch_environment.h"

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

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
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
