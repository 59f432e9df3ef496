// What goes wrong: each fault is a ServerError of one line that says where and what, and leaves nothing of ours behind.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "brainquant/support/error.h"
#include "language_model/fake_language_model.h"
#include "language_model/redis_language_model.h"
#include "language_model/redis_test_server.h"
#include "language_model/redis_trial.h"

namespace brainquant::testing {
namespace {

using Clock = std::chrono::steady_clock;

const char* const kQuestionStreams[] = {"remote_lm_reset", "remote_lm_input", "remote_lm_finalize"};

void expect_contains(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' in: " << message;
}

void expect_nothing_of_ours_in(const RedisServer& server) {
  RedisClient redis(server.port());
  for (const char* stream : kQuestionStreams) EXPECT_EQ(redis.run({"XLEN", stream}), "0") << stream;
}

TEST(RedisFaults, NobodyAnswersTheReset) {
  const RedisServer server;
  RedisLanguageModel model(options_for(server.port(), 0.4));
  const auto start = Clock::now();
  const std::string message = server_error_of(model);
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(400));
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(10));
  expect_contains(message, "redis://127.0.0.1:" + std::to_string(server.port()) + "/0");
  expect_contains(message, "no answer to the reset on remote_lm_done_resetting within 0.4 s");
  expect_nothing_of_ours_in(server);
}

TEST(RedisFaults, NoAnswerToTheLogits) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.answers_logits = false;
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port(), 1.5));
  expect_contains(server_error_of(model), "no answer to the logits on remote_lm_output_partial within 1.5 s");
  expect_nothing_of_ours_in(server);
}

TEST(RedisFaults, NoAnswerToTheRequestToFinish) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.answers_finalize = false;
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port(), 1.5));
  const std::string message = server_error_of(model);
  expect_contains(message, "no answer to the request to finish on remote_lm_output_final within 1.5 s");
  expect_contains(message, "--nbest 1");
  expect_nothing_of_ours_in(server);
}

TEST(RedisFaults, RedisAbsent) {
  const int port = free_port();
  RedisLanguageModel model(options_for(port));
  const std::string message = server_error_of(model);
  expect_contains(message, "Connection refused");
  expect_contains(message, "127.0.0.1:" + std::to_string(port));
}

TEST(RedisFaults, HostUnknown) {
  RedisOptions options = options_for(6379);
  options.host = "no-such-host.invalid";
  RedisLanguageModel model(options);
  expect_contains(server_error_of(model), "can't connect to Redis");
}

TEST(RedisFaults, PasswordNeeded) {
  const RedisServer server({"--requirepass", "secret"});
  RedisLanguageModel model(options_for(server.port()));
  expect_contains(server_error_of(model), "NOAUTH");
}

TEST(RedisFaults, DatabaseOutOfRange) {
  const RedisServer server;
  RedisOptions options = options_for(server.port());
  options.database = 99;
  RedisLanguageModel model(options);
  expect_contains(server_error_of(model), "DB index is out of range");
}

class RedisDies : public ::testing::TestWithParam<const char*> {};

TEST_P(RedisDies, MidWay) {
  RedisServer server;
  FakeBehaviour behaviour;
  behaviour.before_answer = [&](const std::string& question) {
    if (question == GetParam()) server.kill();
  };
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port()));
  expect_contains(server_error_of(model), "the connection to Redis was lost");
}
INSTANTIATE_TEST_SUITE_P(At, RedisDies, ::testing::Values("reset", "logits", "finalize"),
                         [](const auto& param) { return std::string(param.param); });

// Longer than what the socket's buffers take, so that sending goes on after Redis has gone (and would raise SIGPIPE).
TEST(RedisFaults, RedisDiesWhileALongTrialIsSent) {
  RedisServer server;
  FakeBehaviour behaviour;
  behaviour.before_answer = [&](const std::string&) {
    RedisClient(server.port()).add("remote_lm_done_resetting", {"done", "1"});
    server.kill();
  };
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port()));
  expect_contains(server_error_of(model, TrialLogits(100'000)), "the connection to Redis was lost");
}

TEST(RedisFaults, RedisStopsAnswering) {
  RedisServer server;
  FakeBehaviour behaviour;
  behaviour.before_answer = [&](const std::string& question) {
    if (question == "logits") server.freeze();
  };
  {
    RedisLanguageModel model(options_for(server.port(), 1));
    std::thread thawing([&] {
      std::this_thread::sleep_for(std::chrono::seconds(5));
      server.thaw();
    });
    const FakeLanguageModel fake(server.port(), behaviour);
    EXPECT_NE(server_error_of(model).find("Redis itself did not answer within 2 s"), std::string::npos);
    thawing.join();
  }
}

TEST(RedisFaults, ConnectionDroppedMidWay) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.before_answer = [&](const std::string& question) {
    if (question != "logits") return;
    RedisClient redis(server.port());
    redis.run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  };
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port()));
  expect_contains(server_error_of(model), "the connection to Redis was lost");
  expect_nothing_of_ours_in(server);
}

TEST(RedisFaults, SomethingElseListens) {
  const int port = free_port();
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  std::thread web([&] {
    const int peer = accept(listener, nullptr, nullptr);
    const std::string answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
    EXPECT_EQ(write(peer, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    close(peer);
    close(listener);
  });
  RedisLanguageModel model(options_for(port));
  expect_contains(server_error_of(model), "Redis sent what can't be read");
  web.join();
}

TEST(RedisFaults, StreamNameTakenBySomethingElse) {
  const RedisServer server;
  RedisClient redis(server.port());
  redis.run({"SET", "remote_lm_input", "not a stream"});
  const FakeLanguageModel fake(server.port(), {});
  RedisLanguageModel model(options_for(server.port(), 5));
  const std::string message = server_error_of(model);
  expect_contains(message, "remote_lm_input");
  expect_contains(message, "WRONGTYPE");
  EXPECT_EQ(redis.run({"GET", "remote_lm_input"}), "not a stream");
  EXPECT_EQ(redis.run({"XLEN", "remote_lm_reset"}), "0");
}

TEST(RedisFaults, AnswerStreamNameTakenBySomethingElse) {
  const RedisServer server;
  RedisClient redis(server.port());
  redis.run({"SET", "remote_lm_done_resetting", "not a stream"});
  RedisLanguageModel model(options_for(server.port(), 5));
  const std::string message = server_error_of(model);
  expect_contains(message, "remote_lm_done_resetting");
  expect_contains(message, "WRONGTYPE");
  expect_nothing_of_ours_in(server);
}

struct BadAnswer {
  const char* name;
  FakeBehaviour::Fields partial;
  FakeBehaviour::Fields final;
  const char* message;
};

void PrintTo(const BadAnswer& answer, std::ostream* out) { *out << answer.name; }

class RedisMalformedAnswer : public ::testing::TestWithParam<BadAnswer> {};

TEST_P(RedisMalformedAnswer, IsRefused) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.partial = GetParam().partial;
  behaviour.final = [](const auto&) { return GetParam().final; };
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port()));
  expect_contains(server_error_of(model), GetParam().message);
  expect_nothing_of_ours_in(server);
}

const FakeBehaviour::Fields kGoodPartial = {"lm_response_partial", ""};

INSTANTIATE_TEST_SUITE_P(
    Of, RedisMalformedAnswer,
    ::testing::Values(
        BadAnswer{"PartialWithoutItsField", {"other", "x"}, {"lm_response_final", "x"}, "found no lm_response_partial"},
        BadAnswer{"NeitherField", kGoodPartial, {"other", "x"}, "found neither scoring nor lm_response_final"},
        BadAnswer{"FourValues", kGoodPartial, {"scoring", "a;1;2;3"}, "found 4 values"},
        BadAnswer{"TrailingSeparator", kGoodPartial, {"scoring", "a;1;2;3;4;"}, "found 6 values"},
        BadAnswer{"SemicolonInSentence", kGoodPartial, {"scoring", "a;b;1;2;3;4;c;1;2;3"}, "acoustic score: found 'b'"},
        BadAnswer{"Word", kGoodPartial, {"scoring", "a;1;2;3;4;b;1;2;x\ny;4"}, "candidate 2: llm score: found 'x y'"},
        BadAnswer{"Nothing", kGoodPartial, {"scoring", "a;1;;3;4"}, "candidate 1: ngram score: found ''"},
        BadAnswer{"NotANumber", kGoodPartial, {"scoring", "a;1;2;3;nan"}, "total score: found 'nan'"},
        BadAnswer{"Infinity", kGoodPartial, {"scoring", "a;1;2;3;inf"}, "total score: found 'inf'"},
        BadAnswer{"NumberWithTail", kGoodPartial, {"scoring", "a;1;2;3;4x"}, "total score: found '4x'"},
        BadAnswer{"NotUtf8", kGoodPartial, {"scoring", "caf\xe9;1;2;3;4"}, "scoring is not UTF-8"},
        BadAnswer{"CutUtf8", kGoodPartial, {"lm_response_final", "caf\xc3"}, "lm_response_final is not UTF-8"},
        BadAnswer{
            "SurrogateUtf8", kGoodPartial, {"lm_response_final", "\xed\xa0\x80"}, "lm_response_final is not UTF-8"},
        BadAnswer{
            "OverlongUtf8", kGoodPartial, {"lm_response_final", "\xe0\x80\xaf"}, "lm_response_final is not UTF-8"}),
    [](const auto& param) { return std::string(param.param.name); });

struct Intrusion {
  const char* stream;
  const char* during;
};

void PrintTo(const Intrusion& intrusion, std::ostream* out) {
  *out << intrusion.stream << " during " << intrusion.during;
}

class RedisOtherClient : public ::testing::TestWithParam<Intrusion> {};

// The intruder's entry is deleted again at once, as another program of this kind would do in the end.
TEST_P(RedisOtherClient, IsNoticed) {
  const RedisServer server;
  FakeBehaviour behaviour;
  behaviour.before_answer = [&](const std::string& question) {
    if (question != GetParam().during) return;
    RedisClient redis(server.port());
    const std::string id = redis.add(GetParam().stream, {"done", "0"});
    redis.run({"XDEL", GetParam().stream, id});
  };
  const FakeLanguageModel fake(server.port(), behaviour);
  RedisLanguageModel model(options_for(server.port()));
  expect_contains(server_error_of(model), std::string("another client added to ") + GetParam().stream);
  expect_nothing_of_ours_in(server);
}
INSTANTIATE_TEST_SUITE_P(
    Asking, RedisOtherClient,
    ::testing::Values(Intrusion{"remote_lm_input", "reset"}, Intrusion{"remote_lm_input", "finalize"},
                      Intrusion{"remote_lm_finalize", "logits"}, Intrusion{"remote_lm_reset", "logits"},
                      Intrusion{"remote_lm_finalize", "finalize"}),
    [](const auto& param) { return std::string(param.param.stream) + "_at_" + param.param.during; });

TEST(RedisFaults, AnswerThatComesAfterTheDeadlineIsNotTakenForTheNextTrial) {
  const RedisServer server;
  FakeBehaviour behaviour;
  std::atomic<int> trial{0};
  behaviour.before_answer = [&](const std::string& question) {
    if (question == "finalize" && trial == 0) std::this_thread::sleep_for(std::chrono::seconds(3));
  };
  behaviour.final = [](const std::vector<std::string>& logits) {
    return FakeBehaviour::Fields{"lm_response_final",
                                 "of " + std::to_string(logits.at(0).size() / (41 * 4)) + " steps"};
  };
  const FakeLanguageModel fake(server.port(), behaviour);
  {
    RedisLanguageModel hasty(options_for(server.port(), 1.5));
    expect_contains(server_error_of(hasty, TrialLogits(3)), "no answer to the request to finish");
  }
  trial = 1;
  RedisLanguageModel model(options_for(server.port()));
  const auto candidates = model.decode(TrialLogits(5).view(), RunContext());
  ASSERT_EQ(candidates.size(), 1U);
  EXPECT_EQ(candidates[0].sentence, "of 5 steps");
}

TEST(RedisFaults, WorksAgainAfterAFailure) {
  const RedisServer server;
  RedisLanguageModel model(options_for(server.port(), 2));
  expect_contains(server_error_of(model), "no answer to the reset");
  const FakeLanguageModel fake(server.port(), {});
  EXPECT_EQ(model.decode(TrialLogits(3).view(), RunContext()).size(), 1U);
}

TEST(RedisFaults, CancelEndsTheWaitForAFrozenRedis) {
  RedisServer server;
  RedisLanguageModel model(options_for(server.port(), 60));
  Log log;
  Progress progress;
  CancelToken cancel;
  server.freeze();
  std::thread user([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    cancel.cancel();
  });
  const auto start = Clock::now();
  EXPECT_THROW(model.decode(TrialLogits(3).view(), RunContext(log, progress, cancel)), Interrupted);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(4)) << "below the 5 s that connecting may take";
  user.join();
}

TEST(RedisFaults, CancelEndsTheWait) {
  const RedisServer server;
  RedisLanguageModel model(options_for(server.port(), 60));
  Log log;
  Progress progress;
  CancelToken cancel;
  std::thread user([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    cancel.cancel();
  });
  const auto start = Clock::now();
  EXPECT_THROW(model.decode(TrialLogits(3).view(), RunContext(log, progress, cancel)), Interrupted);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(20));
  user.join();
  expect_nothing_of_ours_in(server);
}

}  // namespace
}  // namespace brainquant::testing
