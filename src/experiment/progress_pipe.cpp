#include "experiment/progress_pipe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>

#include "brainquant/experiment/program_runner.h"
#include "brainquant/support/error.h"

namespace brainquant {

namespace {

// The number that `text` begins with; `text` is then what follows it and a space.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end == text.data() + text.size() || *end != ' ') return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

// -1 where this program was not started by another one of this project.
int descriptor_for_progress() {
  const char* variable = std::getenv(kProgressVariable);
  if (variable == nullptr) return -1;
  int descriptor = -1;
  const char* end = variable + std::strlen(variable);
  const auto [rest, problem] = std::from_chars(variable, end, descriptor);
  struct stat facts {};
  // What is no pipe has another meaning for whoever set the variable.
  const bool usable = problem == std::errc() && rest == end && descriptor > STDERR_FILENO &&
                      ::fstat(descriptor, &facts) == 0 && S_ISFIFO(facts.st_mode) &&
                      (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) != 0;
  return usable ? descriptor : -1;
}

}  // namespace

ProgressPipe::ProgressPipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw WorkError("no pipe for progress: " + std::generic_category().message(errno));
  }
  reading_ = Descriptor(ends[0]);
  writing_ = Descriptor(ends[1]);
}

void ProgressPipe::pass_on(Progress& progress) {
  char some[4096];
  for (;;) {
    const ssize_t count = ::read(reading_.get(), some, sizeof some);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // none now, or none any more
    begun_.append(some, static_cast<std::size_t>(count));
    std::size_t at = 0;
    for (std::size_t end; (end = begun_.find('\n', at)) != std::string::npos; at = end + 1) {
      pass_on_line(begun_.substr(at, end - at), progress);
    }
    begun_.erase(0, at);
    if (begun_.size() > PIPE_BUF) begun_.clear();  // longer than any line of progress
  }
}

void ProgressPipe::pass_on_line(const std::string& line, Progress& progress) const {
  std::string_view rest = line;
  const std::optional<std::int64_t> done = take_number(rest);
  const std::optional<std::int64_t> total = done ? take_number(rest) : std::nullopt;
  if (total) progress.update(std::string(rest), *done, *total);
}

void hand_over_progress(const std::string& stage, std::int64_t done, std::int64_t total) noexcept {
  static const int descriptor = descriptor_for_progress();
  if (descriptor < 0) return;
  try {
    const std::string line = fmt::format("{} {} {}\n", done, total, stage);
    // Up to PIPE_BUF bytes are written whole or, into a full pipe, not at all.
    if (line.size() <= PIPE_BUF) [[maybe_unused]]
      const ssize_t written = ::write(descriptor, line.data(), line.size());
  } catch (const std::exception&) {
    // No memory: progress is the least that is lost.
  }
}

}  // namespace brainquant
