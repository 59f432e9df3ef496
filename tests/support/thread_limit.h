// A stand-in for a machine at its limit of threads.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <string>

namespace brainquant::testing {

/// What `work` throws in a child process that may start so many threads; "" if nothing, "signal N" if it ends so (14:
/// it hangs), "no limit" if the system won't set one. Another user's other threads count too, so only 0 holds unless
/// this process is root's: the child then becomes a user that has no other.
inline std::string problem_with_threads(int threads, const std::function<void()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    std::string text;
    constexpr uid_t kUnused = 54'321;
    const auto most = static_cast<rlim_t>(threads > 0 ? threads + 1 : 0);
    const rlimit limit = {most, most};
    if (::setrlimit(RLIMIT_NPROC, &limit) != 0 || (::geteuid() == 0 && ::setresuid(kUnused, kUnused, kUnused) != 0)) {
      text = "no limit";
    } else {
      try {
        work();
      } catch (const std::exception& error) {
        text = error.what();
      }
    }
    [[maybe_unused]] const ssize_t written = ::write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[1000];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : text;
}

}  // namespace brainquant::testing
