#include "support/run_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

class Messages : public Log {
 public:
  void info(const std::string& message) override {
    ++count;
    text += message + "\n";
  }
  std::atomic<int> count{0};
  std::string text;
};

std::string what_of(const fs::path& path) {
  try {
    const RunLock second(path, "static_qint8", WhenLocked::refuse);
  } catch (const WorkError& error) {
    return error.what();
  }
  return "";
}

TEST(RunLock, IsHeldByOneAndSaysByWhom) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "locks/a.lock";
  {
    const RunLock lock(path, "static_qint8", WhenLocked::refuse);
    const std::string said = what_of(path);
    EXPECT_NE(said.find("static_qint8"), std::string::npos) << said;
    EXPECT_NE(said.find("process " + std::to_string(::getpid()) + " on "), std::string::npos) << said;
    EXPECT_NE(said.find("since 20"), std::string::npos) << said;
  }
  EXPECT_EQ(what_of(path), "");
  EXPECT_FALSE(fs::exists(path));
}

TEST(RunLock, WaitsAndSaysSoOnce) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "a.lock";
  auto first = std::make_unique<RunLock>(path, "a", WhenLocked::refuse);
  Messages log;
  Progress progress;
  CancelToken cancel;
  std::atomic<bool> had{false};
  std::thread waiting([&] {
    const RunLock second(path, "a", WhenLocked::wait, {log, progress, cancel});
    had = true;
  });
  while (log.count == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(had);
  first.reset();
  waiting.join();
  EXPECT_TRUE(had);
  EXPECT_EQ(log.count, 1) << log.text;
}

TEST(RunLock, AWaitCanBeCancelled) {
  const ScratchFolder scratch;
  const RunLock first(scratch / "a.lock", "a", WhenLocked::refuse);
  Log log;
  Progress progress;
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(RunLock(scratch / "a.lock", "a", WhenLocked::wait, {log, progress, cancel}), Interrupted);
}

TEST(RunLock, AKilledProcessReleasesIt) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "a.lock";
  const pid_t child = ::fork();
  if (child == 0) {
    const RunLock lock(path, "a", WhenLocked::refuse);
    write_bytes(scratch / "held", "");
    for (;;) ::pause();
  }
  while (!fs::exists(scratch / "held")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_NE(what_of(path), "");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(what_of(path), "");
}

// The last holder removes the file while others wait for it: of those only one may get it, and on a file that is there.
TEST(RunLock, ManyProcessesNeverHoldItTogether) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "a.lock";
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0; i < 10; ++i) {
        const RunLock lock(path, "a", WhenLocked::wait);
        std::error_code error;
        if (!fs::create_directory(scratch / "inside", error)) ::_exit(1);
        fs::remove(scratch / "inside", error);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace brainquant
