#include "brainquant/decoding/redis_language_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>

#include "brainquant/decoding/phonemes.h"
#include "brainquant/support/error.h"
#include "decoding/redis_answer.h"
#include "decoding/redis_connection.h"

namespace brainquant {

namespace {

using Clock = std::chrono::steady_clock;
using Fields = std::map<std::string, std::string>;

constexpr char kReset[] = "remote_lm_reset";
constexpr char kDoneResetting[] = "remote_lm_done_resetting";
constexpr char kInput[] = "remote_lm_input";
constexpr char kPartial[] = "remote_lm_output_partial";
constexpr char kFinalize[] = "remote_lm_finalize";
constexpr char kFinal[] = "remote_lm_output_final";

constexpr std::chrono::milliseconds kLongestBlock{100};
// Past the trial's deadline, so that a silent language model and a silent Redis are told apart.
constexpr double kRedisGraceSeconds = 1;
constexpr double kConnectSeconds = 5;
constexpr double kForgetSeconds = 1;
// Redis takes no string above 512 MiB.
constexpr std::int64_t kMostSteps = (std::int64_t{512} << 20) / (41 * 4) - 1;

static_assert(std::endian::native == std::endian::little, "the server reads little-endian floats");

/// float32 bytes [steps, 41]; the last class moved to the second place.
std::string server_bytes(const LogitsView& logits) {
  constexpr auto classes = static_cast<std::int64_t>(kPhonemeNames.size());
  if (logits.classes != classes) {
    throw UsageError(
        fmt::format("the language-model server takes logits of {} classes, found {}", classes, logits.classes));
  }
  if (logits.steps < 0 || logits.steps > kMostSteps || (logits.steps > 0 && logits.values == nullptr)) {
    throw UsageError(fmt::format("a trial of {} steps can't be sent to the language-model server", logits.steps));
  }
  std::vector<float> ordered;
  ordered.reserve(static_cast<std::size_t>(logits.steps * classes));
  for (std::int64_t step = 0; step < logits.steps; ++step) {
    const float* row = logits.values + step * classes;
    for (std::int64_t c = 0; c < classes; ++c) {
      if (!std::isfinite(row[c])) {
        throw WorkError(fmt::format(
            "logits for the language model: step {}, class {}: found {}, expected a finite number", step, c, row[c]));
      }
    }
    ordered.push_back(row[kBlankClass]);
    ordered.push_back(row[kSilenceClass]);
    ordered.insert(ordered.end(), row + kBlankClass + 1, row + kSilenceClass);
  }
  std::string bytes(ordered.size() * sizeof(float), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), ordered.data(), bytes.size());
  return bytes;
}

/// The id of the last entry that a stream ever had, deleted or not; "0-0" if there is no such stream.
std::string last_id(const RedisReply& reply, const char* stream) {
  if (reply.kind == RedisReply::Kind::error) {
    if (reply.text == "ERR no such key") return "0-0";
    throw ServerError(fmt::format("{}: Redis refused XINFO: {}", stream, one_line(reply.text)));
  }
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    if (reply.elements[i].text == "last-generated-id" && !reply.elements[i + 1].text.empty()) {
      return reply.elements[i + 1].text;
    }
  }
  throw ServerError(fmt::format("{}: XINFO's reply has no last-generated-id", stream));
}

std::string added_id(const RedisReply& reply, const char* stream) {
  if (reply.kind == RedisReply::Kind::error) {
    throw ServerError(fmt::format("{}: Redis refused XADD: {}", stream, one_line(reply.text)));
  }
  if (reply.kind != RedisReply::Kind::text) throw ServerError(fmt::format("{}: malformed reply to XADD", stream));
  return reply.text;
}

/// The fields of the one entry in a reply to XREAD COUNT 1 of one stream: [[stream, [[id, [field, value, ...]]]]].
Fields entry_fields(const RedisReply& reply, const char* stream) {
  const auto malformed = [&] { return ServerError(fmt::format("{}: malformed reply to XREAD", stream)); };
  const auto array_of = [&](const RedisReply& r, std::size_t at_least) -> const std::vector<RedisReply>& {
    if (r.kind != RedisReply::Kind::array || r.elements.size() < at_least) throw malformed();
    return r.elements;
  };
  const RedisReply& entries = array_of(array_of(reply, 1)[0], 2)[1];
  const std::vector<RedisReply>& pairs = array_of(array_of(array_of(entries, 1)[0], 2)[1], 2);
  if (pairs.size() % 2 != 0) throw malformed();
  Fields fields;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (pairs[i].kind != RedisReply::Kind::text || pairs[i + 1].kind != RedisReply::Kind::text) throw malformed();
    fields[pairs[i].text] = pairs[i + 1].text;
  }
  return fields;
}

struct Question {
  const char* stream;
  std::string id;      // of our entry
  std::string before;  // the last id of `stream` before it
};

RedisCommand last_id_command(const char* stream) { return {"XINFO", "STREAM", stream}; }

[[noreturn]] void refuse_mixed_trial(const char* stream) {
  throw ServerError(fmt::format(
      "another program added to {} during this trial; a language-model server serves one at a time", stream));
}

}  // namespace

void RedisOptions::validate() const {
  constexpr double kDay = 86400;
  if (host.empty() || std::any_of(host.begin(), host.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; })) {
    throw UsageError(fmt::format("Redis host: found '{}', expected a name or an address", one_line(host)));
  }
  if (port < 1 || port > 65535) throw UsageError(fmt::format("Redis port: found {}, expected 1 to 65535", port));
  if (database < 0) throw UsageError(fmt::format("Redis database: found {}, expected 0 or more", database));
  if (!(deadline_seconds > 0 && deadline_seconds <= kDay)) {
    throw UsageError(fmt::format("language-model deadline: found {} s, expected more than 0 and at most {} s",
                                 deadline_seconds, kDay));
  }
}

std::string RedisOptions::url() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("redis://{}{}{}:{}/{}", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port, database);
}

struct RedisLanguageModel::Impl {
  RedisOptions options;
  RedisConnection connection;
  std::vector<Question> asked;  // of the trial at hand

  void connect(const RedisWait& wait) {
    if (connection.is_open()) {
      try {
        connection.run({"PING"}, wait);
        return;
      } catch (const ServerError&) {
        // Redis may have closed it between two trials.
      }
    }
    connection.open(options.host, options.port, options.database,
                    RedisWait(std::min(options.deadline_seconds, kConnectSeconds), wait.cancel));
  }

  /// Adds an entry to `stream`; returns the last id of `answers` before it, and of `other` if there is one.
  struct Before {
    std::string answers;
    std::string other;
  };
  Before ask(const char* stream, const char* field, const std::string& value, const char* answers, const char* other,
             const RedisWait& wait) {
    std::vector<RedisCommand> commands = {
        last_id_command(stream), {"XADD", stream, "*", field, value}, last_id_command(answers)};
    if (other != nullptr) commands.push_back(last_id_command(other));
    const std::vector<RedisReply> replies = connection.transaction(commands, wait);
    asked.push_back({stream, added_id(replies[1], stream), ""});
    asked.back().before = last_id(replies[0], stream);
    return {last_id(replies[2], answers), other != nullptr ? last_id(replies[3], other) : ""};
  }

  Fields answer(const char* stream, const std::string& after, const char* question, Clock::time_point deadline,
                const RedisWait& wait) {
    while (true) {
      wait.cancel->check();
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      if (left.count() <= 0) {
        throw ServerError(fmt::format(
            "no answer to {} on {} within {} s; is the language-model server running and connected to this Redis?",
            question, stream, options.deadline_seconds));
      }
      const auto block = std::min(left, kLongestBlock);
      const RedisReply reply = connection.run(
          {"XREAD", "COUNT", "1", "BLOCK", std::to_string(block.count()), "STREAMS", stream, after}, wait);
      if (reply.kind != RedisReply::Kind::nil) return entry_fields(reply, stream);
    }
  }

  /// Deletes our entries, then looks whether anybody else asked since.
  void finish(const RedisWait& wait) {
    std::vector<RedisCommand> commands;
    for (const Question& q : asked) commands.push_back({"XDEL", q.stream, q.id});
    for (const Question& q : asked) commands.push_back(last_id_command(q.stream));
    const std::vector<RedisReply> replies = connection.transaction(commands, wait);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (last_id(replies[asked.size() + i], asked[i].stream) != asked[i].id) refuse_mixed_trial(asked[i].stream);
    }
  }

  /// After a failure, which is what the caller reports: nothing here adds to it.
  void forget() noexcept {
    try {
      const RedisWait wait(kForgetSeconds);
      if (!asked.empty() && !connection.is_open()) {
        connection.open(options.host, options.port, options.database, wait);
      }
      for (const Question& q : asked) connection.run({"XDEL", q.stream, q.id}, wait);
    } catch (const std::exception&) {
    }
    connection.close();
  }

  std::vector<SentenceCandidate> decode(const std::string& bytes, const CancelToken& cancel) {
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double>(options.deadline_seconds));
    const RedisWait wait(options.deadline_seconds + kRedisGraceSeconds, &cancel);
    asked.clear();
    connect(wait);

    // The reset's transaction also notes where the input and finalize streams stand: what is added there by others
    // before our own entries is seen by the comparisons below, what is added after them by finish().
    const Before reset = ask(kReset, "done", "0", kDoneResetting, kInput, wait);
    answer(kDoneResetting, reset.answers, "the reset", deadline, wait);
    const Before input = ask(kInput, "logits", bytes, kPartial, kFinalize, wait);
    if (asked.back().before != reset.other) refuse_mixed_trial(kInput);
    const Fields partial = answer(kPartial, input.answers, "the logits", deadline, wait);
    if (!partial.contains("lm_response_partial")) {
      throw ServerError(fmt::format("{}: found no lm_response_partial", kPartial));
    }
    const Before finalize = ask(kFinalize, "done", "0", kFinal, nullptr, wait);
    if (asked.back().before != input.other) refuse_mixed_trial(kFinalize);
    const Fields last = answer(kFinal, finalize.answers, "the request to finish", deadline, wait);
    finish(wait);
    return candidates_of_answer(last);
  }
};

RedisLanguageModel::RedisLanguageModel(RedisOptions options) : impl_(std::make_unique<Impl>()) {
  options.validate();
  impl_->options = std::move(options);
}

RedisLanguageModel::~RedisLanguageModel() = default;

std::string RedisLanguageModel::description() const { return impl_->options.url(); }

std::vector<SentenceCandidate> RedisLanguageModel::decode(const LogitsView& logits, const RunContext& context) {
  const std::string bytes = server_bytes(logits);
  if (bytes.empty()) return {};
  context.cancel.check();
  try {
    return impl_->decode(bytes, context.cancel);
  } catch (const ServerError& error) {
    impl_->forget();
    const std::string& hint = impl_->options.hint;
    throw ServerError(fmt::format("language model at {}: {}{}", description(), error.what(),
                                  hint.empty() ? "" : fmt::format(" ({})", hint)));
  } catch (...) {
    impl_->forget();
    throw;
  }
}

}  // namespace brainquant
