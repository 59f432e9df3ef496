// What a line of progress says: how far, how fast, how much longer.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace brainquant::app {

/// Follows the stage that is under way. Speed counts from its first update on, so that trials which an earlier run
/// finished make it no faster.
class ProgressLine {
 public:
  using Clock = std::chrono::steady_clock;

  void update(const std::string& stage, std::int64_t done, std::int64_t total, Clock::time_point now);

  bool finished() const { return done_ >= total_; }
  /// "trials 34/200, 12/s, 0:14 left"; speed and time left once there are any.
  std::string text() const;
  /// The same behind a bar, in at most `columns` characters: the bar is left out, and then the end, where it has to be.
  std::string with_bar(std::size_t columns) const;
  /// When the stage began.
  Clock::time_point began() const { return began_; }

 private:
  std::string stage_;
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
  std::int64_t first_done_ = 0;
  Clock::time_point began_{};
  Clock::time_point now_{};
};

}  // namespace brainquant::app
