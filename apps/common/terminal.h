// Messages and progress on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "brainquant/support/run_context.h"

namespace spdlog {
class logger;
}

namespace brainquant::app {

enum class Verbosity { quiet, normal, verbose };

/// Log lines and, when stderr is a terminal, one line of progress that is redrawn in place. Safe to use from several
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
  void update(const std::string& stage, std::int64_t done, std::int64_t total) override;

 private:
  template <typename Write>
  void write_line(Write write);
  void erase_progress();

  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_;
  bool progress_wanted_;
  std::string progress_;  // as it stands on the terminal
  std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace brainquant::app
