#include "support/cores.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

constexpr int kMostThreads = 1024;

}  // namespace

int usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return std::max(1, CPU_COUNT(&cores));
}

int effective_threads(int threads) { return threads > 0 ? threads : usable_cores(); }

void validate_threads(int threads) {
  if (threads >= 0 && threads <= kMostThreads) return;
  throw UsageError(fmt::format("--threads: found {}, expected 0 (all cores) to {}", threads, kMostThreads));
}

}  // namespace brainquant
