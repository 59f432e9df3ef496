// Before a run: is a server there, and is it ours alone?
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "brainquant/support/error.h"
#include "language_model/fake_language_model.h"
#include "language_model/redis_language_model.h"
#include "language_model/redis_test_server.h"
#include "language_model/redis_trial.h"

namespace brainquant::testing {
namespace {

using Strings = std::vector<std::string>;

const char* const kStreams[] = {"remote_lm_reset",          "remote_lm_input",          "remote_lm_finalize",
                                "remote_lm_done_resetting", "remote_lm_output_partial", "remote_lm_output_final"};

void expect_contains(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' in: " << message;
}

void expect_empty_streams(const RedisServer& server) {
  RedisClient redis(server.port());
  for (const char* stream : kStreams) EXPECT_EQ(redis.run({"XLEN", stream}), "0") << stream;
}

/// Milliseconds of Redis' clock, from its "[seconds,microseconds]".
long long redis_milliseconds(RedisClient& redis) {
  const std::string time = redis.run({"TIME"});
  return std::stoll(time.substr(1)) * 1000 + std::stoll(time.substr(time.find(',') + 1)) / 1000;
}

class KeptLog : public Log {
 public:
  void info(const std::string& message) override { infos.push_back(message); }
  void warning(const std::string& message) override { infos.push_back(message); }
  Strings infos;
};

struct Listening {
  KeptLog log;
  Progress progress;
  CancelToken cancel;
  RunContext context() { return {log, progress, cancel}; }
};

TEST(RedisReadiness, AServerThatAnswersIsReady) {
  const RedisServer server;
  const FakeLanguageModel fake(server.port(), {});
  RedisLanguageModel model(options_for(server.port()));
  Listening user;
  model.await_ready(user.context());
  EXPECT_EQ(fake.questions(), Strings{"reset done=0"});
  EXPECT_TRUE(user.log.infos.empty());
  expect_empty_streams(server);
  EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
  expect_empty_streams(server);
}

TEST(RedisReadiness, RedisAbsent) {
  RedisLanguageModel model(options_for(free_port()));
  expect_contains(server_error_of_waiting(model), "Connection refused");
}

// Not after the language model's deadline.
TEST(RedisReadiness, RedisSilent) {
  RedisServer server;
  server.freeze();
  RedisLanguageModel model(options_for(server.port(), 3600));
  expect_contains(server_error_of_waiting(model), "Redis itself did not answer within 5 s");
}

TEST(RedisReadiness, NoServer) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.answers_reset = false;
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port(), 4.5));
  Listening user;
  const std::string message = server_error_of_waiting(model, user.context());
  expect_contains(message, "no answer to the reset on remote_lm_done_resetting within 4.5 s");
  EXPECT_EQ(fake.questions(), (Strings{"reset done=0", "reset done=0", "reset done=0"}));
  ASSERT_EQ(user.log.infos.size(), 1U) << "once for two resets more";
  expect_contains(user.log.infos[0], "waiting for the language-model server");
  expect_contains(user.log.infos[0], "4.5 s at most");
  expect_empty_streams(server);
}

TEST(RedisReadiness, AServerThatStartsLaterIsNoticed) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.starts_late = true;
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port()));
  Listening user;
  model.await_ready(user.context());
  EXPECT_EQ(fake.questions(), Strings{"reset done=0"}) << "of two: the first was older than the server";
  EXPECT_EQ(user.log.infos.size(), 1U);
  expect_empty_streams(server);
}

TEST(RedisReadiness, ATrialsResetIsSentAgainToo) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.starts_late = true;
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port()));
  EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
  EXPECT_EQ(fake.questions(), (Strings{"reset done=0", "logits", "finalize done=0"}));
  expect_empty_streams(server);
}

TEST(RedisReadiness, CancelEndsTheWait) {
  const RedisServer server;
  RedisLanguageModel model(options_for(server.port(), 3600));
  Listening listening;
  std::thread user([&] {
    RedisClient redis(server.port());
    while (redis.ids("remote_lm_reset").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    listening.cancel.cancel();
  });
  EXPECT_THROW(model.await_ready(listening.context()), Interrupted);
  user.join();
  expect_empty_streams(server);
}

// Two clients of this kind, which delete what they add: the one that was there first goes on.
TEST(RedisReadiness, TheSecondOfTwoThatWaitIsRefused) {
  const RedisServer server;
  RedisLanguageModel first(options_for(server.port()));
  std::thread waiting([&] { EXPECT_NO_THROW(first.await_ready(RunContext())); });
  RedisClient redis(server.port());
  while (redis.ids("remote_lm_reset").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  RedisLanguageModel second(options_for(server.port()));
  expect_contains(server_error_of_waiting(second), "another client is using this language-model server");
  const FakeLanguageModel fake(server.port(), {});
  waiting.join();
}

TEST(RedisReadiness, AnotherClientThatResetsMeanwhileIsNoticed) {
  const RedisServer server;
  std::thread other([&] {
    RedisClient redis(server.port());
    while (redis.ids("remote_lm_reset").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    redis.run({"XDEL", "remote_lm_reset", redis.add("remote_lm_reset", {"done", "0"})});
  });
  RedisLanguageModel model(options_for(server.port()));
  expect_contains(server_error_of_waiting(model), "another client added to remote_lm_reset");
  other.join();
  expect_empty_streams(server);
}

class RedisOtherClientsEntry : public ::testing::TestWithParam<const char*> {};

TEST_P(RedisOtherClientsEntry, OfAMomentAgoStopsARunBeforeItAddsAnything) {
  const RedisServer server;
  const FakeLanguageModel fake(server.port(), {});
  RedisClient redis(server.port());
  const std::string id = redis.add(GetParam(), {"of", "another"}, std::to_string(redis_milliseconds(redis) - 1000));
  const auto before = redis.dump();
  RedisLanguageModel model(options_for(server.port()));
  for (const std::string& message : {server_error_of_waiting(model), server_error_of(model)}) {
    expect_contains(message, std::string("it added to ") + GetParam());
    expect_contains(message, "serves one at a time");
  }
  EXPECT_EQ(redis.dump(), before);
  EXPECT_EQ(redis.ids(GetParam()), Strings{id});
}

TEST_P(RedisOtherClientsEntry, BetweenTwoTrialsStopsTheSecond) {
  const RedisServer server;
  const FakeLanguageModel fake(server.port(), {});
  RedisLanguageModel model(options_for(server.port()));
  EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
  RedisClient redis(server.port());
  redis.add(GetParam(), {"of", "another"});
  expect_contains(server_error_of(model), "another client is using this language-model server");
}

TEST_P(RedisOtherClientsEntry, OfLongerAgoIsLeftAlone) {
  const RedisServer server;
  const FakeLanguageModel fake(server.port(), {});
  RedisClient redis(server.port());
  const std::string id = redis.add(GetParam(), {"of", "another"}, std::to_string(redis_milliseconds(redis) - 6000));
  RedisLanguageModel model(options_for(server.port()));
  model.await_ready(RunContext());
  EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
  EXPECT_EQ(redis.ids(GetParam()), Strings{id});
}

// The stream's last id is young, its entry is gone: what a run of our own leaves.
TEST_P(RedisOtherClientsEntry, ThatHasBeenDeletedStopsNobody) {
  const RedisServer server;
  const FakeLanguageModel fake(server.port(), {});
  RedisClient redis(server.port());
  redis.run({"XDEL", GetParam(), redis.add(GetParam(), {"of", "another"})});
  RedisLanguageModel model(options_for(server.port()));
  model.await_ready(RunContext());
  EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(On, RedisOtherClientsEntry,
                         ::testing::Values("remote_lm_reset", "remote_lm_input", "remote_lm_finalize"),
                         [](const auto& param) { return std::string(param.param); });

TEST(RedisReadiness, AnEntryOfTheFutureTellsNoAge) {
  const RedisServer server;
  RedisClient redis(server.port());
  const std::string ahead = std::to_string(redis_milliseconds(redis) + 3'600'000);
  redis.add("remote_lm_input", {"logits", "of a clock that ran ahead"}, ahead);
  const FakeLanguageModel fake(server.port(), {});
  RedisLanguageModel model(options_for(server.port()));
  model.await_ready(RunContext());
  EXPECT_EQ(redis.ids("remote_lm_input"), Strings{ahead + "-0"});
}

TEST(RedisReadiness, RunsFollowEachOtherAtOnce) {
  const RedisServer server;
  const FakeLanguageModel fake(server.port(), {});
  for (int method = 0; method < 3; ++method) {
    RedisLanguageModel model(options_for(server.port()));
    model.await_ready(RunContext());
    EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
  }
}

// The answer may be the other client's.
TEST(RedisReadiness, AnswersStayWhenSomebodyElseAskedMeanwhile) {
  const RedisServer server;
  FakeBehaviour behaviour;
  bool intruded = false;
  behaviour.before_answer = [&](const std::string& question) {
    if (question != "finalize" || std::exchange(intruded, true)) return;
    RedisClient(server.port()).add("remote_lm_finalize", {"done", "0"});
  };
  int answers = 0;
  behaviour.final = [&](const auto&) { return Strings{"lm_response_final", std::to_string(++answers)}; };
  {
    const FakeLanguageModel fake(server.port(), behaviour);
    RedisLanguageModel model(options_for(server.port()));
    expect_contains(server_error_of(model), "another client added to remote_lm_finalize");
  }
  const auto left = RedisClient(server.port()).entries("remote_lm_output_final");
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left[0].fields.at("lm_response_final"), "1") << "the answer that was taken";
}

TEST(RedisReadiness, AnswersOfATrialThatFailedAreRemovedToo) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.answers_finalize = false;
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port(), 1.5));
  server_error_of(model);
  expect_empty_streams(server);
}

}  // namespace
}  // namespace brainquant::testing
