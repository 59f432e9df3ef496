// What the Redis tests share: logits whose every value tells its place, and a model that asks a test's own server.
#pragma once

#include <string>
#include <vector>

#include "language_model/redis_language_model.h"

namespace brainquant::testing {

inline constexpr int kClasses = 41;
inline constexpr const char* kHint = "without a server: another way";

/// Logits [steps, 41]; step s, class c holds first + 100 * s + c.
struct TrialLogits {
  std::vector<float> values;
  std::int64_t steps;
  explicit TrialLogits(std::int64_t step_count, float first = 0) : steps(step_count) {
    for (std::int64_t s = 0; s < steps; ++s) {
      for (int c = 0; c < kClasses; ++c)
        values.push_back(first + 100.0F * static_cast<float>(s) + static_cast<float>(c));
    }
  }
  LogitsView view() const { return {values.data(), steps, kClasses}; }
};

inline RedisOptions options_for(int port, double deadline_seconds = 30) {
  RedisOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  options.deadline_seconds = deadline_seconds;
  options.hint = kHint;
  return options;
}

/// The message of the ServerError that decoding a trial throws; "" and a failed test if it throws none.
std::string server_error_of(RedisLanguageModel& model, const TrialLogits& logits = TrialLogits(3));
/// The same of waiting until the model can be asked.
std::string server_error_of_waiting(RedisLanguageModel& model, const RunContext& context = RunContext());

}  // namespace brainquant::testing
