// A lock between runs: what may not happen twice at once is done under one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "brainquant/support/run_context.h"

namespace brainquant {

enum class WhenLocked { wait, refuse };

/// Held until it is destroyed, or until the process ends, however it ends. While it is held, its file says which
/// process holds it, on which host and since when. A child that inherited descriptor() keeps it too, until it ends.
///
/// It is an flock(2): also between the hosts of an NFS mount (Linux 2.6.12 or later). On a file system without locks
/// nothing is held, and context.log.warning says so.
class RunLock {
 public:
  /// Creates the file and its folders. Locked by another run: says once who holds it (context.log.info, naming `what`
  /// the lock is for) and waits, or with `refuse` throws WorkError that says the same. Throws FileError if the file
  /// can't be made or locked, Interrupted while it waits.
  RunLock(std::filesystem::path path, const std::string& what, WhenLocked when, const RunContext& context = {});
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&&) = delete;
  ~RunLock();

  /// The descriptor that a child inherits to hold the lock for as long as it runs.
  int descriptor() const { return fd_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace brainquant
