// Messages and progress on stderr, and results that come in between.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "brainquant/reporting/width.h"
#include "brainquant/support/run_context.h"
#include "common/progress_line.h"

namespace spdlog {
class logger;
}

namespace brainquant::app {

enum class Verbosity { quiet, normal, verbose };

/// Characters in a line of stdout if it is a terminal; else any number.
std::size_t width_of_stdout();

/// Log lines and progress: when stderr is a terminal, one line that is redrawn in place; else, or with CI set, a
/// message every 10 seconds of a stage. Colours are a terminal's only, and none with NO_COLOR. Safe to use from several
/// threads.
class Terminal : public Log, public Progress {
 public:
  explicit Terminal(const std::string& program);
  ~Terminal() override;

  /// quiet: warnings and errors only, no progress. verbose: debug messages too.
  void set_verbosity(Verbosity verbosity);

  void debug(const std::string& message) override;
  void info(const std::string& message) override;
  void warning(const std::string& message) override;
  void error(const std::string& message);
  /// Writes results to stdout at once. A line of progress on the same terminal makes room and is drawn again below.
  void print(const std::string& text);
  void update(const std::string& stage, std::int64_t done, std::int64_t total) override;

 private:
  template <typename Write>
  void write_line(Write write);
  void erase_progress();
  void draw(const std::string& line);

  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_;
  bool quiet_ = false;
  bool redraws_;
  ProgressLine progress_;
  std::string drawn_;  // as it stands on the terminal
  ProgressLine::Clock::time_point last_shown_{};
};

}  // namespace brainquant::app
