// The same work for many items, on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace brainquant {

/// Calls work(i) once for each i below `count`, on `threads` new threads (fewer if there are fewer items), and returns
/// when all have ended. What a call throws ends the work and is thrown here. Throws WorkError ("cannot start a thread
/// for PURPOSE: ...").
void parallel_for(const char* purpose, std::size_t count, int threads, const std::function<void(std::size_t)>& work);

}  // namespace brainquant
