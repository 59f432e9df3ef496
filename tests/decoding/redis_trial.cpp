#include "decoding/redis_trial.h"

#include <gtest/gtest.h>

#include "brainquant/support/error.h"

namespace brainquant::testing {

std::string server_error_of(RedisLanguageModel& model, const TrialLogits& logits) {
  try {
    model.decode(logits.view(), RunContext());
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

}  // namespace brainquant::testing
