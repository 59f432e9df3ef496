// The project's programs as a user starts them: their exit codes, what they print, and how they end when they are
// killed.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/scratch_folder.h"

namespace brainquant::testing {

struct ProgramResult {
  int exit_code = -1;  // -1: ended by a signal
  int signal = 0;
  std::string out;
  std::string err;

  /// stderr's lines that begin with "error: ".
  std::vector<std::string> errors() const {
    std::vector<std::string> lines;
    std::size_t at = 0;
    for (std::size_t end; (end = err.find('\n', at)) != std::string::npos; at = end + 1) {
      if (err.compare(at, 7, "error: ") == 0) lines.push_back(err.substr(at, end - at));
    }
    return lines;
  }
};

class RunningProgram {
 public:
  /// `largest_file`: bytes that the program may write into one file. `limits`: of other resources (RLIMIT_...).
  RunningProgram(const std::string& name, std::vector<std::string> arguments, const std::filesystem::path& scratch,
                 std::optional<rlim_t> largest_file = {}, const std::string& out = "",
                 const std::vector<std::pair<int, rlim_t>>& limits = {})
      : out_(scratch / "stdout.txt"), err_(scratch / "stderr.txt") {
    std::string program = std::string(BRAINQUANT_BIN) + "/" + name;
    std::vector<char*> argv = {program.data()};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string out_name = out.empty() ? out_.string() : out;
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int out_fd = ::open(out_name.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    const int err_fd = ::open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ::dup2(out_fd, STDOUT_FILENO);
    ::dup2(err_fd, STDERR_FILENO);
    for (const int fd : {out_fd, err_fd}) {
      if (fd > STDERR_FILENO) ::close(fd);
    }
    if (largest_file) {
      const rlimit limit = {*largest_file, *largest_file};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    for (const auto& [resource, most] : limits) {
      const rlimit limit = {most, most};
      ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
    }
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }

  void send(int signal) const { ::kill(pid_, signal); }
  pid_t pid() const { return pid_; }

  ProgramResult wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ProgramResult result;
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    result.out = bytes_of(out_);
    result.err = bytes_of(err_);
    return result;
  }

 private:
  std::filesystem::path out_;
  std::filesystem::path err_;
  pid_t pid_ = -1;
};

inline ProgramResult run_program(const std::string& name, std::vector<std::string> arguments,
                                 const std::filesystem::path& scratch) {
  return RunningProgram(name, std::move(arguments), scratch).wait();
}

}  // namespace brainquant::testing
