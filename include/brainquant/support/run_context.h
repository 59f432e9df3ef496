// How the library speaks to whoever runs it: messages, progress and the wish to stop. The library itself never prints.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace brainquant {

/// Receives messages. Implementations must be safe to call from several threads.
class Log {
 public:
  virtual ~Log() = default;
  virtual void debug(const std::string& /*message*/) {}
  virtual void info(const std::string& /*message*/) {}
  virtual void warning(const std::string& /*message*/) {}
};

/// Receives progress: `done` of `total` units of `stage` ("calibration", "evaluation").
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void update(const std::string& /*stage*/, std::int64_t /*done*/, std::int64_t /*total*/) {}
};

/// Set from a signal handler or another thread; long work calls check() between units of work.
class CancelToken {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }
  /// Throws Interrupted once cancel() has been called.
  void check() const;

 private:
  std::atomic<bool> cancelled_{false};
};

/// What every long-running function takes. The default says nothing and is never cancelled.
struct RunContext {
  Log& log;
  Progress& progress;
  const CancelToken& cancel;
  RunContext();
  RunContext(Log& l, Progress& p, const CancelToken& c) : log(l), progress(p), cancel(c) {}
};

}  // namespace brainquant
