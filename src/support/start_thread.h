// Threads that say what they were for when the system refuses to start them.
#pragma once

#include <fmt/format.h>

#include <system_error>
#include <thread>
#include <utility>

#include "brainquant/support/error.h"

namespace brainquant {

/// Runs `work` on a new thread, which is joined when what is returned is destroyed. Throws WorkError ("cannot start a
/// thread for PURPOSE: ...") at a limit on threads or memory.
template <class Work>
std::jthread start_thread(const char* purpose, Work&& work) {
  try {
    return std::jthread(std::forward<Work>(work));
  } catch (const std::system_error& problem) {
    throw WorkError(fmt::format("cannot start a thread for {}: {}", purpose, problem.code().message()));
  }
}

}  // namespace brainquant
