#include "support/for_each_in_parallel.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "support/start_thread.h"

namespace brainquant {

namespace {

class Parts {
 public:
  Parts(std::size_t count, const std::function<void(std::size_t)>& work) : count_(count), work_(work) {}

  void run(int threads, const char* purpose) {
    std::vector<std::jthread> others;
    try {
      for (int i = 1; i < threads; ++i) others.push_back(start_thread(purpose, [this] { take(); }));
    } catch (...) {
      failed_ = true;  // those that were started need not go on
      throw;
    }
    take();
    for (std::jthread& other : others) other.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void take() {
    try {
      for (std::size_t at; (at = next_.fetch_add(1)) < count_ && !failed_;) work_(at);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      failed_ = true;
    }
  }

  std::size_t count_;
  const std::function<void(std::size_t)>& work_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  // of failure_
  std::exception_ptr failure_;
};

}  // namespace

void for_each_in_parallel(std::size_t count, int threads, const char* purpose,
                          const std::function<void(std::size_t)>& work) {
  Parts(count, work).run(threads, purpose);
}

}  // namespace brainquant
