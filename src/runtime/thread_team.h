// A persistent team of threads for many small pieces of work: the caller is member 0; the others wait by spinning, then
// sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace brainquant {

class ThreadTeam {
 public:
  /// `size` members, at least 1; 1 starts no thread. Throws WorkError if one cannot be started.
  explicit ThreadTeam(int size);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return size_; }
  /// Calls work(member) on every member and returns when all are done. `work` must not throw. Allocates nothing, as a
  /// std::function might.
  template <typename Work>
  void run(const Work& work) {
    run_call([](const void* called, int member) { (*static_cast<const Work*>(called))(member); }, &work);
  }
  /// Inside run(): returns once every member has called it. What members wrote before is visible to all after.
  void barrier();

 private:
  using Call = void (*)(const void* work, int member);
  void run_call(Call call, const void* work);
  void serve(int member);
  void end();

  const int size_;
  alignas(64) std::atomic<std::uint32_t> round_{0};  // counts calls of run()
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};  // counts barriers
  Call call_ = nullptr;
  const void* work_ = nullptr;
  std::atomic<bool> ending_{false};
  std::vector<std::jthread> threads_;
};

}  // namespace brainquant
