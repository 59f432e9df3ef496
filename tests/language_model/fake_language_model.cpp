#include "language_model/fake_language_model.h"

#include <chrono>
#include <stdexcept>

namespace brainquant::testing {

namespace {

std::string text_of(const StreamEntry& entry) {
  std::string text;
  for (const auto& [field, value] : entry.fields) text += " " + field + "=" + value;
  return text;
}

std::string redis_milliseconds(RedisClient& client) {
  const std::string time = client.run({"TIME"});  // "[seconds,microseconds]"
  const std::size_t comma = time.find(',');
  const long long seconds = std::stoll(time.substr(1, comma - 1));
  return std::to_string(seconds * 1000 + std::stoll(time.substr(comma + 1)) / 1000);
}

}  // namespace

FakeLanguageModel::FakeLanguageModel(int port, FakeBehaviour behaviour)
    : port_(port), behaviour_(std::move(behaviour)) {
  thread_ = std::thread([this] { serve(); });
  while (!ready_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  // An entry of the very millisecond that it starts from would count as old.
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
}

FakeLanguageModel::~FakeLanguageModel() {
  stop_ = true;
  thread_.join();
}

void FakeLanguageModel::serve() {
  if (behaviour_.starts_late) wait_for_a_reset();
  while (!stop_) {
    try {
      serve_connection();
    } catch (const std::exception&) {
      ready_ = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

void FakeLanguageModel::wait_for_a_reset() {
  ready_ = true;
  RedisClient redis(port_, behaviour_.database);
  while (!stop_ && redis.ids("remote_lm_reset").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(3));  // past the reset's millisecond
}

void FakeLanguageModel::serve_connection() {
  RedisClient redis(port_, behaviour_.database);
  std::string last_reset = redis_milliseconds(redis);
  std::string last_finalize = last_reset;
  std::string last_input = last_reset;
  ready_ = true;
  while (!stop_) {
    if (const auto reset = redis.read("remote_lm_reset", last_reset, 0); !reset.empty()) {
      last_reset = reset[0].id;
      note("reset" + text_of(reset[0]));
      since_reset_.clear();
      behaviour_.before_answer("reset");
      if (behaviour_.answers_reset) redis.add("remote_lm_done_resetting", {"done", "1"});
      continue;
    }
    if (const auto finalize = redis.read("remote_lm_finalize", last_finalize, 0); !finalize.empty()) {
      last_finalize = finalize[0].id;
      note("finalize" + text_of(finalize[0]));
      behaviour_.before_answer("finalize");
      if (behaviour_.answers_finalize) redis.add("remote_lm_output_final", behaviour_.final(since_reset_));
      continue;
    }
    if (const auto input = redis.read("remote_lm_input", last_input, 5); !input.empty()) {
      last_input = input[0].id;
      const bool well_formed = input[0].fields.size() == 1 && input[0].fields.contains("logits");
      note(well_formed ? "logits" : "input" + text_of(input[0]));
      if (well_formed) {
        const std::lock_guard lock(mutex_);
        inputs_.push_back(input[0].fields.at("logits"));
        since_reset_.push_back(inputs_.back());
      }
      behaviour_.before_answer("logits");
      if (behaviour_.answers_logits) redis.add("remote_lm_output_partial", behaviour_.partial);
    }
  }
}

void FakeLanguageModel::note(const std::string& question) {
  const std::lock_guard lock(mutex_);
  questions_.push_back(question);
}

std::vector<std::string> FakeLanguageModel::questions() const {
  const std::lock_guard lock(mutex_);
  return questions_;
}

std::vector<std::string> FakeLanguageModel::inputs() const {
  const std::lock_guard lock(mutex_);
  return inputs_;
}

}  // namespace brainquant::testing
