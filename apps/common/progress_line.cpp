#include "common/progress_line.h"

#include <fmt/format.h>

#include <cmath>

namespace brainquant::app {

namespace {

constexpr double kLeastSeconds = 1;  // below it a speed says little

std::string text_of_speed(double per_second) {
  if (per_second >= 10) return fmt::format("{:.0f}/s", per_second);
  if (per_second >= 1) return fmt::format("{:.1f}/s", per_second);
  return fmt::format("{:.1f} s each", 1 / per_second);
}

std::string text_of_time(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

void ProgressLine::update(const std::string& stage, std::int64_t done, std::int64_t total, Clock::time_point now) {
  if (stage != stage_ || total != total_ || done < done_) {
    stage_ = stage;
    total_ = total;
    first_done_ = done;
    began_ = now;
  }
  done_ = done;
  now_ = now;
}

std::string ProgressLine::text() const {
  std::string text = fmt::format("{} {}/{}", stage_, done_, total_);
  const double seconds = std::chrono::duration<double>(now_ - began_).count();
  if (done_ <= first_done_ || seconds < kLeastSeconds) return text;
  const double per_second = static_cast<double>(done_ - first_done_) / seconds;
  text += ", " + text_of_speed(per_second);
  if (done_ < total_) text += fmt::format(", {} left", text_of_time(static_cast<double>(total_ - done_) / per_second));
  return text;
}

std::string ProgressLine::with_bar(std::size_t columns) const {
  constexpr std::int64_t kWidth = 30;
  const auto filled = static_cast<std::size_t>(total_ > 0 ? kWidth * done_ / total_ : kWidth);
  const std::string bar =
      fmt::format("[{}{}] ", std::string(filled, '#'), std::string(static_cast<std::size_t>(kWidth) - filled, '.'));
  const std::string words = text();
  return bar.size() + words.size() <= columns ? bar + words : words.substr(0, columns);
}

}  // namespace brainquant::app
