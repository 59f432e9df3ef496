#include "language_model/redis_trial.h"

#include <gtest/gtest.h>

#include "brainquant/support/error.h"

namespace brainquant::testing {

namespace {

template <typename Work>
std::string server_error_of_work(const Work& work) {
  try {
    work();
  } catch (const ServerError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_EQ(message.rfind("language model at redis://", 0), 0U) << message;
    EXPECT_TRUE(message.ends_with(std::string(" (") + kHint + ")")) << message;
    return message;
  }
  ADD_FAILURE() << "no ServerError";
  return "";
}

}  // namespace

std::string server_error_of(RedisLanguageModel& model, const TrialLogits& logits) {
  return server_error_of_work([&] { model.decode(logits.view(), RunContext()); });
}

std::string server_error_of_waiting(RedisLanguageModel& model, const RunContext& context) {
  return server_error_of_work([&] { model.await_ready(context); });
}

}  // namespace brainquant::testing
