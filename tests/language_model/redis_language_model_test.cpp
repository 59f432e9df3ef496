// Trials that succeed: what is sent, what comes back, and what is left in Redis.
#include "language_model/redis_language_model.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <limits>

#include "brainquant/support/error.h"
#include "language_model/fake_language_model.h"
#include "language_model/redis_test_server.h"
#include "language_model/redis_trial.h"

namespace brainquant::testing {
namespace {

/// The float of the four bytes at `at`, least significant first.
float float_at(const std::string& bytes, std::size_t at) {
  std::uint32_t bits = 0;
  for (int k = 3; k >= 0; --k) bits = (bits << 8) | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(k)]);
  return std::bit_cast<float>(bits);
}

FakeBehaviour answering(FakeBehaviour::Fields fields) {
  FakeBehaviour behaviour;
  behaviour.final = [fields](const auto&) { return fields; };
  return behaviour;
}

std::vector<SentenceCandidate> decode_with(FakeBehaviour behaviour) {
  const RedisServer server;
  const FakeLanguageModel fake(server.port(), std::move(behaviour));
  RedisLanguageModel model(options_for(server.port()));
  return model.decode(TrialLogits(3).view(), RunContext());
}

TEST(RedisLanguageModel, SendsFloatBytesWithSilenceSecond) {
  const RedisServer server;
  const FakeLanguageModel fake(server.port(), {});
  RedisLanguageModel model(options_for(server.port()));
  model.decode(TrialLogits(7).view(), RunContext());

  EXPECT_EQ(fake.questions(), (std::vector<std::string>{"reset done=0", "logits", "finalize done=0"}));
  ASSERT_EQ(fake.inputs().size(), 1U);
  const std::string bytes = fake.inputs()[0];
  ASSERT_EQ(bytes.size(), 7U * 41 * 4);
  for (std::size_t step = 0; step < 7; ++step) {
    const float first = 100.0F * static_cast<float>(step);
    const std::size_t row = step * 41 * 4;
    EXPECT_EQ(float_at(bytes, row), first) << "BLANK, class 0 of the model";
    EXPECT_EQ(float_at(bytes, row + 4), first + 40) << "SIL, class 40 of the model";
    for (std::size_t place = 2; place < 41; ++place) {
      EXPECT_EQ(float_at(bytes, row + place * 4), first + static_cast<float>(place) - 1) << "step " << step;
    }
  }
}

TEST(RedisLanguageModel, SortsCandidatesAndKeepsTheBestOfEqualSentences) {
  const auto candidates = decode_with(
      answering({"lm_response_final", "not this", "scoring",
                 "worst;-1;-2;-3;-40.5;tie one;1;2;3;-7;best;-10;-2e1;0.25;-1.5;tie two;4;5;6;-7;best;9;9;9;-3;"
                 "worst;0;0;0;-20;impossible;-1;-inf;-inf;-inf",
                 "context_str", ""}));
  ASSERT_EQ(candidates.size(), 5U);
  EXPECT_EQ(candidates[0].sentence, "best");
  EXPECT_EQ(candidates[0].acoustic, -10);
  EXPECT_EQ(candidates[0].ngram, -20);
  EXPECT_EQ(candidates[0].llm, 0.25);
  EXPECT_EQ(candidates[0].total, -1.5);
  EXPECT_EQ(candidates[1].sentence, "tie one");
  EXPECT_EQ(candidates[2].sentence, "tie two");
  EXPECT_EQ(candidates[3].sentence, "worst");
  EXPECT_EQ(candidates[3].total, -20);
  EXPECT_EQ(candidates[4].sentence, "impossible");
}

TEST(RedisLanguageModel, TakesTheResponseOfAServerThatSendsNoScoring) {
  const auto candidates = decode_with(answering({"lm_response_final", "just one"}));
  ASSERT_EQ(candidates.size(), 1U);
  EXPECT_EQ(candidates[0].sentence, "just one");
  EXPECT_EQ(candidates[0].total, 0);
}

TEST(RedisLanguageModel, TakesTheResponseWhenScoringIsEmpty) {
  const auto candidates =
      decode_with(answering({"lm_response_final", "without scores", "scoring", "", "context_str", ""}));
  ASSERT_EQ(candidates.size(), 1U);
  EXPECT_EQ(candidates[0].sentence, "without scores");
}

// The public server's response begins with a space; the sentences of its n-best list are taken as they are.
TEST(RedisLanguageModel, TakesTheResponseWithoutItsLeadingSpace) {
  const std::vector<FakeBehaviour::Fields> unscored = {{"lm_response_final", " i am  here "},
                                                       {"lm_response_final", " i am  here ", "scoring", ""}};
  for (const FakeBehaviour::Fields& fields : unscored) {
    const auto candidates = decode_with(answering(fields));
    ASSERT_EQ(candidates.size(), 1U);
    EXPECT_EQ(candidates[0].sentence, "i am  here ");
  }
}

TEST(RedisLanguageModel, HasNoCandidatesWhenNothingWasRecognised) {
  for (const char* nothing : {"", " "}) {
    EXPECT_TRUE(decode_with(answering({"lm_response_final", nothing, "scoring", "", "context_str", ""})).empty());
  }
}

TEST(RedisLanguageModel, KeepsOddCharactersOfSentences) {
  const std::string odd =
      std::string("  \"quoted\", it's\nna\xc3\xafve \xe2\x80\x93 \xf0\x9f\x98\x80 \t%s $(x) ") + '\0' + "end";
  const auto candidates = decode_with(answering({"lm_response_final", odd, "scoring", odd + ";1;2;3;4"}));
  ASSERT_EQ(candidates.size(), 1U);
  EXPECT_EQ(candidates[0].sentence, odd);
}

// The fake answers with the first float of what came since the reset: an answer of another trial would show.
TEST(RedisLanguageModel, TellsQuickTrialsApart) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.final = [](const std::vector<std::string>& logits) {
    return FakeBehaviour::Fields{"lm_response_final", std::to_string(logits.size()) + " " +
                                                          std::to_string(std::lround(float_at(logits.at(0), 0)))};
  };
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port()));
  for (int trial = 0; trial < 20; ++trial) {
    const auto candidates = model.decode(TrialLogits(224, static_cast<float>(trial)).view(), RunContext());
    ASSERT_EQ(candidates.size(), 1U);
    EXPECT_EQ(candidates[0].sentence, "1 " + std::to_string(trial));
  }
}

TEST(RedisLanguageModel, NeverTakesEntriesOfEarlierRunsForAnswers) {
  const RedisServer server;
  RedisClient redis(server.port());
  // Some of a clock that ran an hour ahead, so that "newer than now" would not tell them apart.
  const std::string ahead = std::to_string((time(nullptr) + 3600) * 1000LL);
  for (const char* id : {"1000-1", "1000-2", ahead.c_str()}) {
    redis.add("remote_lm_done_resetting", {"done", "1"}, id);
    redis.add("remote_lm_output_partial", {"lm_response_partial", "stale"}, id);
    redis.add("remote_lm_output_final", {"lm_response_final", "stale", "scoring", "stale;1;1;1;1"}, id);
  }
  redis.add("remote_lm_reset", {"done", "0"}, "1000-1");
  redis.add("remote_lm_input", {"logits", "stale"}, "1000-1");
  redis.add("remote_lm_finalize", {"done", "0"}, "1000-1");

  const FakeLanguageModel fake(server.port(), {});
  RedisLanguageModel model(options_for(server.port()));
  for (int trial = 0; trial < 2; ++trial) {
    const auto candidates = model.decode(TrialLogits(3).view(), RunContext());
    ASSERT_EQ(candidates.size(), 1U);
    EXPECT_EQ(candidates[0].sentence, "hello");
  }

  for (const char* stream : {"remote_lm_reset", "remote_lm_input", "remote_lm_finalize"}) {
    EXPECT_EQ(redis.ids(stream), std::vector<std::string>{"1000-1"}) << stream;
  }
  for (const char* stream : {"remote_lm_done_resetting", "remote_lm_output_partial", "remote_lm_output_final"}) {
    EXPECT_EQ(redis.ids(stream), (std::vector<std::string>{"1000-1", "1000-2", ahead + "-0"})) << stream;
  }
}

TEST(RedisLanguageModel, LeavesEverythingElseAsItIs) {
  const RedisServer server;
  for (const int database : {0, 1}) {
    RedisClient redis(server.port(), database);
    redis.run({"SET", "remote_lm", "not ours"});
    redis.run({"SET", "contextual_decoding_current_context", "tea"});
    redis.run({"HSET", "patients", "a", "1", "b", "2"});
    redis.run({"RPUSH", "jobs", "x", "y"});
    redis.add("remote_lm_args", {"nbest", "100"});
    redis.add("remote_lm_input_of_others", {"logits", "bytes"});
  }
  RedisClient first(server.port(), 0);
  RedisClient second(server.port(), 1);
  const auto first_before = first.dump();
  const auto second_before = second.dump();
  ASSERT_EQ(first_before.size(), 6U);

  {
    const FakeLanguageModel fake(server.port(), {});
    RedisLanguageModel model(options_for(server.port()));
    model.decode(TrialLogits(3).view(), RunContext());
  }

  EXPECT_EQ(second.dump(), second_before);
  const auto first_after = first.dump();
  for (const auto& [key, value] : first_before) {
    ASSERT_TRUE(first_after.contains(key)) << key;
    EXPECT_EQ(first_after.at(key), value) << key;
  }
  EXPECT_EQ(first_after.size(), first_before.size() + 6) << "the protocol's own streams";
  for (const char* stream : {"remote_lm_reset", "remote_lm_input", "remote_lm_finalize", "remote_lm_done_resetting",
                             "remote_lm_output_partial", "remote_lm_output_final"}) {
    EXPECT_EQ(first.run({"XLEN", stream}), "0") << stream << ": our questions and the answers to them";
  }
}

TEST(RedisLanguageModel, UsesTheDatabaseAskedFor) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.database = 3;
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisOptions options = options_for(server.port());
  options.database = 3;
  RedisLanguageModel model(options);
  EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
  RedisClient zero(server.port());
  EXPECT_EQ(zero.run({"DBSIZE"}), "0");
}

TEST(RedisLanguageModel, ReconnectsWhenRedisClosedTheConnectionBetweenTrials) {
  const RedisServer server;
  RedisLanguageModel model(options_for(server.port()));
  for (int trial = 0; trial < 3; ++trial) {
    const FakeLanguageModel fake(server.port(), {});
    EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
    RedisClient redis(server.port());
    redis.run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  }
}

TEST(RedisLanguageModel, SendsNothingOfATrialWithoutSteps) {
  RedisLanguageModel model(options_for(free_port()));
  EXPECT_TRUE(model.decode(LogitsView{nullptr, 0, 41}, RunContext()).empty());
}

TEST(RedisLanguageModel, RefusesLogitsThatTheServerCannotTake) {
  RedisLanguageModel model(options_for(free_port()));
  const std::vector<float> values(120, 0.0F);
  EXPECT_THROW(model.decode({values.data(), 3, 40}, RunContext()), UsageError);
  EXPECT_THROW(model.decode({values.data(), -1, 41}, RunContext()), UsageError);
  EXPECT_THROW(model.decode({values.data(), std::int64_t{1} << 61, 41}, RunContext()), UsageError);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    TrialLogits logits(3);
    logits.values[2 * 41 + 5] = bad;
    try {
      model.decode(logits.view(), RunContext());
      ADD_FAILURE();
    } catch (const WorkError& error) {
      EXPECT_NE(std::string(error.what()).find("step 2, class 5"), std::string::npos) << error.what();
    }
  }
}

TEST(RedisLanguageModel, ValidatesItsOptions) {
  const auto refused = [](auto change) {
    RedisOptions options;
    change(options);
    EXPECT_THROW(options.validate(), UsageError);
    EXPECT_THROW(RedisLanguageModel model(options), UsageError);
  };
  refused([](RedisOptions& o) { o.host = ""; });
  refused([](RedisOptions& o) { o.host = "a b"; });
  refused([](RedisOptions& o) { o.port = 0; });
  refused([](RedisOptions& o) { o.port = 65536; });
  refused([](RedisOptions& o) { o.database = -1; });
  refused([](RedisOptions& o) { o.deadline_seconds = 0; });
  refused([](RedisOptions& o) { o.deadline_seconds = std::numeric_limits<double>::quiet_NaN(); });
  refused([](RedisOptions& o) { o.deadline_seconds = 1e9; });
  EXPECT_NO_THROW(RedisOptions().validate());
}

TEST(RedisLanguageModel, NamesItself) {
  EXPECT_EQ(RedisLanguageModel(RedisOptions()).description(), "redis://localhost:6379/0");
  RedisOptions options;
  options.host = "::1";
  options.port = 7000;
  options.database = 2;
  EXPECT_EQ(RedisLanguageModel(options).description(), "redis://[::1]:7000/2");
}

}  // namespace
}  // namespace brainquant::testing
