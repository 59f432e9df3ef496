#include "runtime/thread_team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "support/start_thread.h"

namespace brainquant {

namespace {

/// Long enough to bridge the time between two steps of a busy decoder, short enough not to burn a core between two
/// bins.
constexpr int kSpins = 4000;

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

void wait_for_change(const std::atomic<std::uint32_t>& counter, std::uint32_t seen) {
  for (int i = 0; i < kSpins; ++i) {
    if (counter.load(std::memory_order_acquire) != seen) return;
    pause_briefly();
  }
  while (counter.load(std::memory_order_acquire) == seen) counter.wait(seen, std::memory_order_acquire);
}

}  // namespace

ThreadTeam::ThreadTeam(int size) : size_(size < 1 ? 1 : size) {
  try {
    threads_.reserve(static_cast<std::size_t>(size_ - 1));
    for (int member = 1; member < size_; ++member) {
      threads_.push_back(start_thread("the native engine", [this, member] { serve(member); }));
    }
  } catch (...) {
    end();
    throw;
  }
}

ThreadTeam::~ThreadTeam() { end(); }

void ThreadTeam::end() {
  ending_.store(true);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  threads_.clear();
}

void ThreadTeam::serve(int member) {
  std::uint32_t seen = 0;
  for (;;) {
    wait_for_change(round_, seen);
    ++seen;
    if (ending_.load()) return;
    call_(work_, member);
    barrier();
  }
}

void ThreadTeam::run_call(Call call, const void* work) {
  if (size_ == 1) return call(work, 0);
  call_ = call;
  work_ = work;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  call(work, 0);
  barrier();
}

void ThreadTeam::barrier() {
  if (size_ == 1) return;
  const std::uint32_t generation = generation_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  wait_for_change(generation_, generation);
}

}  // namespace brainquant
