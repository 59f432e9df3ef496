#include "common/terminal.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace brainquant::app {

namespace {

constexpr auto kRedrawInterval = std::chrono::milliseconds(100);

// A message is one line, whatever a file's names hold.
std::string in_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

}  // namespace

Terminal::Terminal(const std::string& program)
    : logger_(std::make_shared<spdlog::logger>(program, std::make_shared<spdlog::sinks::stderr_color_sink_mt>())),
      progress_wanted_(::isatty(STDERR_FILENO) == 1) {
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
  if (verbosity == Verbosity::quiet) progress_wanted_ = false;
}

void Terminal::erase_progress() {
  if (progress_.empty()) return;
  std::fprintf(stderr, "\r%*s\r", static_cast<int>(progress_.size()), "");
  std::fflush(stderr);
  progress_.clear();
}

template <typename Write>
void Terminal::write_line(Write write) {
  const std::lock_guard lock(mutex_);
  erase_progress();
  write();
}

void Terminal::debug(const std::string& message) {
  write_line([&] { logger_->debug("{}", in_one_line(message)); });
}
void Terminal::info(const std::string& message) {
  write_line([&] { logger_->info("{}", in_one_line(message)); });
}
void Terminal::warning(const std::string& message) {
  write_line([&] { logger_->warn("{}", in_one_line(message)); });
}
void Terminal::error(const std::string& message) {
  write_line([&] { logger_->error("{}", in_one_line(message)); });
}

void Terminal::update(const std::string& stage, std::int64_t done, std::int64_t total) {
  const std::lock_guard lock(mutex_);
  if (!progress_wanted_ || total <= 0) return;
  const auto now = std::chrono::steady_clock::now();
  if (done < total && now - drawn_ < kRedrawInterval) return;
  drawn_ = now;
  erase_progress();
  if (done >= total) return;
  constexpr std::int64_t kWidth = 30;
  const auto filled = static_cast<std::size_t>(kWidth * done / total);
  progress_ = fmt::format("{:<12} [{}{}] {}/{}", stage, std::string(filled, '#'),
                          std::string(static_cast<std::size_t>(kWidth) - filled, '.'), done, total);
  std::fputs(progress_.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace brainquant::app
