// Independent pieces of work on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace brainquant {

/// Calls work(0) to work(count - 1), each once and begun in this order, on `threads` threads of which the caller's is
/// one. After the first exception no more are begun; it is thrown when those under way have ended. Throws WorkError
/// when a thread cannot be started (start_thread(), which `purpose` is for).
void for_each_in_parallel(std::size_t count, int threads, const char* purpose,
                          const std::function<void(std::size_t)>& work);

}  // namespace brainquant
