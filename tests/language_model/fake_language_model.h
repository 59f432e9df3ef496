// The server's side of the language-model protocol, with faults to order. It keeps the public server's habits: entries
// older than its start are ignored (it reads on from a reading of Redis' clock), resets go before requests to finish
// before logits, one entry at a time.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "language_model/redis_test_server.h"

namespace brainquant::testing {

struct FakeBehaviour {
  using Fields = std::vector<std::string>;  // field, value, field, value, ...
  /// Starts only when a reset is waiting, which it then ignores as older than its start.
  bool starts_late = false;
  bool answers_reset = true;
  bool answers_logits = true;
  bool answers_finalize = true;
  Fields partial = {"lm_response_partial", "so far"};
  /// The last answer, from the bytes of the logits that came since the reset.
  std::function<Fields(const std::vector<std::string>& logits)> final = [](const auto&) {
    return Fields{"lm_response_final", "hello", "scoring", "hello;-1;-2;-3;-4"};
  };
  /// Runs before the answer to "reset", "logits" or "finalize".
  std::function<void(const std::string& question)> before_answer = [](const std::string&) {};
  int database = 0;
};

class FakeLanguageModel {
 public:
  FakeLanguageModel(int port, FakeBehaviour behaviour);
  ~FakeLanguageModel();
  FakeLanguageModel(const FakeLanguageModel&) = delete;
  FakeLanguageModel& operator=(const FakeLanguageModel&) = delete;

  /// What arrived, in order: "reset done=0", "logits" (the only field of an input), "finalize done=0".
  std::vector<std::string> questions() const;
  /// The bytes of every input that arrived.
  std::vector<std::string> inputs() const;

 private:
  void serve();
  void wait_for_a_reset();
  void serve_connection();
  void note(const std::string& question);

  const int port_;
  const FakeBehaviour behaviour_;
  std::atomic<bool> ready_{false};
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> questions_;
  std::vector<std::string> inputs_;
  std::vector<std::string> since_reset_;
  std::thread thread_;
};

}  // namespace brainquant::testing
