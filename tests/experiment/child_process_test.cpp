#include "experiment/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "brainquant/experiment/program_runner.h"
#include "brainquant/support/error.h"
#include "experiment/progress_pipe.h"
#include "io/scratch_folder.h"
#include "support/run_lock.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

ChildProcess shell(const std::string& script, const fs::path& log) { return {"/bin/sh", {"-c", script}, log}; }

// Ended, if perhaps not yet waited for by the process that inherited it.
bool has_ended(pid_t pid) {
  const std::string stat = bytes_of(fs::path("/proc") / std::to_string(pid) / "stat");
  const std::size_t at = stat.rfind(") ");
  return at == std::string::npos || stat[at + 2] == 'Z';
}

TEST(ChildProcess, ReportsExitCodesOutputAndMemory) {
  const ScratchFolder scratch;
  const ChildResult child = run_child(shell("echo out; echo err >&2; exit 3", scratch / "log"));
  EXPECT_EQ(child.exit_code, 3);
  EXPECT_EQ(bytes_of(scratch / "log"), "out\nerr\n");
  EXPECT_GT(child.peak_memory_bytes, 100'000);
  EXPECT_EQ(run_child(shell("kill -9 $$", scratch / "log")).exit_code, 128 + 9);
  EXPECT_THROW(run_child({"/nowhere/program", {}, scratch / "log"}), WorkError);
  EXPECT_THROW(run_child({"/bin/sh", {}, "/nowhere/log"}), FileError);
}

TEST(ChildProcess, HandsItsErrorOverInAFile) {
  const ScratchFolder scratch;
  const std::string script = "printf 'x: is not there' >\"$" + std::string(kErrorFileVariable) + "\"; exit 1";
  EXPECT_EQ(run_child(shell(script, scratch / "log")).error, "x: is not there");
  // What one says is never taken for the next one's.
  EXPECT_EQ(run_child(shell("exit 1", scratch / "log")).error, "");
  EXPECT_FALSE(fs::exists(scratch / "log.error"));
}

/// Keeps what progress says, as "STAGE DONE/TOTAL".
class KeptProgress final : public Progress {
 public:
  void update(const std::string& stage, std::int64_t done, std::int64_t total) override {
    said.push_back(fmt::format("{} {}/{}", stage, done, total));
  }
  std::vector<std::string> said;
};

std::vector<std::string> progress_of(const std::string& script) {
  const ScratchFolder scratch;
  Log log;
  KeptProgress progress;
  const CancelToken cancel;
  EXPECT_EQ(run_child(shell(script, scratch / "log"), RunContext(log, progress, cancel)).exit_code, 0);
  EXPECT_EQ(bytes_of(scratch / "log"), "");
  return progress.said;
}

const std::string kProgressEnd = "/proc/self/fd/$" + std::string(kProgressVariable);

TEST(ChildProcess, HandsItsProgressOver) {
  EXPECT_EQ(progress_of("exec 3>" + kProgressEnd + "; echo 0 10 some trials >&3; echo '10 10 some trials' >&3"),
            (std::vector<std::string>{"some trials 0/10", "some trials 10/10"}));
  // In pieces, and with lines that are none of progress between.
  EXPECT_EQ(
      progress_of(
          "exec 3>" + kProgressEnd +
          "; printf '1 2' >&3; sleep 0.05; printf ' trials\n\nx 2 trials\n1 2\n1 2x trials\n2 2 trials\n3 4' >&3"),
      (std::vector<std::string>{"trials 1/2", "trials 2/2"}));
  EXPECT_TRUE(progress_of("true").empty());
}

TEST(ChildProcess, AProgramThatNobodyReadsIsNotHeldUp) {
  ProgressPipe pipe;
  const std::string number = std::to_string(pipe.writing_end());
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(kProgressVariable, number.c_str(), 1);
    for (std::int64_t i = 0; i < 100'000; ++i) hand_over_progress("trials", i, 100'000);  // more than a pipe holds
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  KeptProgress progress;
  pipe.pass_on(progress);
  ASSERT_GT(progress.said.size(), 1000U);
  EXPECT_LT(progress.said.size(), 100'000U);
  for (std::size_t i = 0; i < progress.said.size(); ++i)
    EXPECT_EQ(progress.said[i], fmt::format("trials {}/100000", i));
}

// A number in the environment that is no such pipe's is left alone.
TEST(ChildProcess, NoProgressIntoOtherDescriptors) {
  const ScratchFolder scratch;
  for (const std::string number : {"3", "1", "", "3x"}) {
    const pid_t child = ::fork();
    if (child == 0) {
      const int file = ::open((scratch / "file").c_str(), O_WRONLY | O_CREAT, 0666);
      ::dup2(file, 3);
      ::dup2(file, 1);
      ::setenv(kProgressVariable, number.c_str(), 1);
      hand_over_progress("trials", 1, 2);
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(bytes_of(scratch / "file"), "") << number;
  }
}

TEST(ChildProcess, CancellingInterruptsIt) {
  const ScratchFolder scratch;
  Log log;
  Progress progress;
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(run_child(shell("trap 'echo stopped; exit 1' INT; while :; do sleep 0.05; done", scratch / "log"),
                         RunContext(log, progress, cancel)),
               Interrupted);
}

// A parent that is killed takes its child with it; until the child has ended, it keeps the parent's lock.
TEST(ChildProcess, EndsWithItsParentAndKeepsTheLockUntilThen) {
  const ScratchFolder scratch;
  const fs::path lock_path = scratch / "a.lock";
  const fs::path pid_file = scratch / "pid";
  const pid_t parent = ::fork();
  if (parent == 0) {
    const RunLock lock(lock_path, "a", WhenLocked::refuse);
    ChildProcess child =
        shell("trap 'sleep 0.3; exit 0' TERM; echo $$ >'" + pid_file.string() + "'; while :; do sleep 0.05; done",
              scratch / "log");
    child.inherited = {lock.descriptor()};
    run_child(child);
    ::_exit(0);
  }
  for (int i = 0; i < 500 && bytes_of(pid_file).empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const pid_t child = std::stoi(bytes_of(pid_file));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_THROW(RunLock(lock_path, "a", WhenLocked::refuse), WorkError);
  const RunLock lock(lock_path, "a", WhenLocked::wait);
  EXPECT_TRUE(has_ended(child));
}

}  // namespace
}  // namespace brainquant
