#include "common/terminal.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "brainquant/support/printable.h"

namespace brainquant::app {

namespace {

constexpr auto kRedrawInterval = std::chrono::milliseconds(100);
constexpr auto kMessageInterval = std::chrono::seconds(10);

// As https://no-color.org has it: set, and not empty.
bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

std::optional<std::size_t> columns_of(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return size.ws_col;
}

}  // namespace

std::size_t width_of_stdout() { return columns_of(STDOUT_FILENO).value_or(kAnyWidth); }

Terminal::Terminal(const std::string& program)
    : logger_(std::make_shared<spdlog::logger>(
          program, std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
                       is_set("NO_COLOR") ? spdlog::color_mode::never : spdlog::color_mode::automatic))),
      redraws_(::isatty(STDERR_FILENO) == 1 && !is_set("CI")) {
  logger_->set_pattern("%^%l%$: %v");
}

Terminal::~Terminal() {
  const std::lock_guard lock(mutex_);
  erase_progress();
}

void Terminal::set_verbosity(Verbosity verbosity) {
  const std::lock_guard lock(mutex_);
  logger_->set_level(verbosity == Verbosity::quiet     ? spdlog::level::warn
                     : verbosity == Verbosity::verbose ? spdlog::level::debug
                                                       : spdlog::level::info);
  quiet_ = verbosity == Verbosity::quiet;
}

void Terminal::erase_progress() {
  if (drawn_.empty()) return;
  std::fprintf(stderr, "\r%*s\r", static_cast<int>(drawn_.size()), "");
  std::fflush(stderr);
  drawn_.clear();
}

void Terminal::draw(const std::string& line) {
  drawn_ = line;
  std::fputs(drawn_.c_str(), stderr);
  std::fflush(stderr);
}

template <typename Write>
void Terminal::write_line(Write write) {
  const std::lock_guard lock(mutex_);
  erase_progress();
  write();
}

void Terminal::debug(const std::string& message) {
  write_line([&] { logger_->debug("{}", printable(message)); });
}
void Terminal::info(const std::string& message) {
  write_line([&] { logger_->info("{}", printable(message)); });
}
void Terminal::warning(const std::string& message) {
  write_line([&] { logger_->warn("{}", printable(message)); });
}
void Terminal::error(const std::string& message) {
  write_line([&] { logger_->error("{}", printable(message)); });
}

void Terminal::print(const std::string& text) {
  const std::lock_guard lock(mutex_);
  const std::string line = ::isatty(STDOUT_FILENO) == 1 ? drawn_ : "";
  if (!line.empty()) erase_progress();
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  if (!line.empty()) draw(line);
}

void Terminal::update(const std::string& stage, std::int64_t done, std::int64_t total) {
  const std::lock_guard lock(mutex_);
  if (quiet_ || total <= 0) return;
  const auto now = ProgressLine::Clock::now();
  progress_.update(stage, done, total, now);
  if (!redraws_) {
    if (progress_.finished() || now - std::max(last_shown_, progress_.began()) < kMessageInterval) return;
    last_shown_ = now;
    logger_->info("{}", printable(progress_.text()));
    return;
  }
  if (!progress_.finished() && now - last_shown_ < kRedrawInterval) return;
  last_shown_ = now;
  erase_progress();
  if (progress_.finished()) return;
  draw(progress_.with_bar(columns_of(STDERR_FILENO).value_or(80) - 1));  // the last column would wrap on some terminals
}

}  // namespace brainquant::app
