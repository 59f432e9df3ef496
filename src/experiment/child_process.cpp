#include "experiment/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <system_error>
#include <thread>

#include "brainquant/support/error.h"
#include "experiment/progress_pipe.h"
#include "support/atomic_file.h"
#include "support/descriptor.h"

namespace brainquant {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(10);
constexpr auto kGrace = std::chrono::seconds(10);
constexpr std::size_t kMostErrorBytes = std::size_t{1} << 20;

std::string system_message(int error) { return std::generic_category().message(error); }

/// Everything that the child needs between fork and exec, where nothing may be allocated any more.
struct Launch {
  std::vector<char*> argv;
  std::vector<char*> environment;
  const char* program;
  int log;
  int null;
  std::vector<int> inherited;
  pid_t parent;
};

// Writes errno to `report` if the program can't be started; the descriptor closes by itself when it is.
[[noreturn]] void become(const Launch& launch, int report) {
  const auto give_up = [report] {
    const int error = errno;
    [[maybe_unused]] const ssize_t told = ::write(report, &error, sizeof error);
    ::_exit(127);
  };
  if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) give_up();
  if (::getppid() != launch.parent) ::_exit(127);  // it ended before that held
  if (::dup2(launch.null, STDIN_FILENO) < 0 || ::dup2(launch.log, STDOUT_FILENO) < 0 ||
      ::dup2(launch.log, STDERR_FILENO) < 0) {
    give_up();
  }
  for (const int fd : launch.inherited) {
    if (::fcntl(fd, F_SETFD, 0) != 0) give_up();
  }
  ::execve(launch.program, launch.argv.data(), launch.environment.data());
  give_up();
  ::_exit(127);
}

// This process's environment, with `own` instead of the variables of these names.
std::vector<char*> environment_with(std::vector<std::string>& own) {
  std::vector<char*> result;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const auto replaces = [&](const std::string& one) {
      return std::strncmp(*variable, one.c_str(), one.find('=') + 1) == 0;
    };
    if (std::none_of(own.begin(), own.end(), replaces)) result.push_back(*variable);
  }
  for (std::string& variable : own) result.push_back(variable.data());
  result.push_back(nullptr);
  return result;
}

pid_t start(const ChildProcess& child, const fs::path& error_file, int progress_end) {
  const Descriptor log(::open(child.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (log.get() < 0) throw FileError(child.log.string(), "cannot open: " + system_message(errno));
  const auto refuse = [&](int error) {
    return WorkError(fmt::format("{}: cannot be started: {}", child.program.string(), system_message(error)));
  };
  const Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int pipe_ends[2] = {-1, -1};
  if (null.get() < 0 || ::pipe2(pipe_ends, O_CLOEXEC) != 0) throw refuse(errno);
  const Descriptor reading(pipe_ends[0]);
  std::string program = child.program.string();
  std::vector<std::string> arguments = child.arguments;
  std::vector<std::string> variables = {fmt::format("{}={}", kErrorFileVariable, error_file.string()),
                                        fmt::format("{}={}", kProgressVariable, progress_end)};
  Launch launch{{program.data()}, environment_with(variables), program.c_str(), log.get(), null.get(), child.inherited,
                ::getpid()};
  launch.inherited.push_back(progress_end);
  for (std::string& argument : arguments) launch.argv.push_back(argument.data());
  launch.argv.push_back(nullptr);
  pid_t pid = -1;
  {
    const Descriptor writing(pipe_ends[1]);
    pid = ::fork();
    if (pid == 0) become(launch, writing.get());
    if (pid < 0) throw refuse(errno);
  }
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(reading.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof error)) {
    ::waitpid(pid, nullptr, 0);
    throw refuse(error);
  }
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

ChildResult run_child(const ChildProcess& child, const RunContext& context) {
  const Clock::time_point begin = Clock::now();
  const fs::path error_file = child.log.string() + ".error";
  std::error_code ignored;
  fs::remove(error_file, ignored);
  ProgressPipe progress;
  const pid_t pid = start(child, error_file, progress.writing_end());
  progress.close_writing_end();
  bool told_to_stop = false;
  Clock::time_point told{};
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t ended = ::wait4(pid, &status, WNOHANG, &usage);
    progress.pass_on(context.progress);
    if (ended == pid) {
      ChildResult result = result_of(status, usage, begin);
      if (fs::exists(error_file, ignored)) result.error = read_file(error_file, kMostErrorBytes);
      fs::remove(error_file, ignored);
      if (told_to_stop) throw Interrupted();
      return result;
    }
    if (ended < 0 && errno != EINTR) {
      throw WorkError(fmt::format("{}: lost: {}", child.program.string(), system_message(errno)));
    }
    if (context.cancel.cancelled() && !told_to_stop) {
      ::kill(pid, SIGINT);
      told_to_stop = true;
      told = Clock::now();
    }
    if (told_to_stop && Clock::now() - told > kGrace) ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(kPollInterval);
  }
}

}  // namespace brainquant
