#include "brainquant/reporting/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "brainquant/support/error.h"

extern char** environ;

namespace brainquant {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(10);
constexpr auto kGrace = std::chrono::seconds(10);

class SpawnActions {
 public:
  explicit SpawnActions(int log_fd) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, log_fd, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, log_fd, STDERR_FILENO);
  }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

pid_t spawn(const fs::path& program, const std::vector<std::string>& arguments, const fs::path& log) {
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) throw FileError(log.string(), fmt::format("cannot open: {}", std::strerror(errno)));
  std::string name = program.string();
  std::vector<std::string> copies = arguments;
  std::vector<char*> argv = {name.data()};
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const SpawnActions actions(fd);
  pid_t pid = 0;
  const int problem = ::posix_spawn(&pid, program.c_str(), actions.get(), nullptr, argv.data(), environ);
  ::close(fd);
  if (problem != 0) throw WorkError(fmt::format("{}: cannot be started: {}", program.string(), std::strerror(problem)));
  return pid;
}

ChildResult result_of(int status, const rusage& usage, Clock::time_point start) {
  ChildResult result;
  result.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  result.peak_memory_bytes = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace

ChildResult run_child(const fs::path& program, const std::vector<std::string>& arguments, const fs::path& log,
                      const RunContext& context) {
  const Clock::time_point start = Clock::now();
  const pid_t pid = spawn(program, arguments, log);
  bool told_to_stop = false;
  Clock::time_point told{};
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t ended = ::wait4(pid, &status, WNOHANG, &usage);
    if (ended == pid) {
      if (told_to_stop) throw Interrupted();
      return result_of(status, usage, start);
    }
    if (ended < 0 && errno != EINTR)
      throw WorkError(fmt::format("{}: lost: {}", program.string(), std::strerror(errno)));
    if (context.cancel.cancelled() && !told_to_stop) {
      ::kill(pid, SIGINT);
      told_to_stop = true;
      told = Clock::now();
    }
    if (told_to_stop && Clock::now() - told > kGrace) ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(kPollInterval);
  }
}

fs::path sibling_executable(const std::string& name) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path path = self.parent_path() / name;
  if (error || !fs::exists(path)) throw FileError(path.string(), "no such program; it belongs beside " + self.string());
  return path;
}

}  // namespace brainquant
