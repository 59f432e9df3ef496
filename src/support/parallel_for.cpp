#include "support/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <vector>

#include "support/start_thread.h"

namespace brainquant {

void parallel_for(const char* purpose, std::size_t count, int threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto run = [&] {
    try {
      for (std::size_t i; (i = next++) < count;) work(i);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  {
    std::vector<std::jthread> team;
    const auto members = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
    team.reserve(members);
    try {
      while (team.size() < members) team.push_back(start_thread(purpose, run));
    } catch (...) {
      next = count;  // those that were started need not go on
      throw;
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace brainquant
