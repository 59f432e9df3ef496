#include "language_model/redis_language_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "brainquant/support/error.h"
#include "language_model/redis_answer.h"
#include "language_model/redis_connection.h"
#include "scoring/phonemes.h"

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
constexpr std::array kQuestionStreams = {kReset, kInput, kFinalize};

constexpr std::chrono::milliseconds kLongestBlock{100};
// Past the trial's deadline, so that a silent language model and a silent Redis are told apart.
constexpr double kRedisGraceSeconds = 1;
constexpr double kConnectSeconds = 5;
constexpr double kForgetSeconds = 1;
// The public server ignores what is older than its own start: a reset must be sent again to reach one started later.
constexpr std::chrono::seconds kResetAgainAfter{2};
// An entry of somebody else's this young is of a client at work.
constexpr std::int64_t kAtWorkMilliseconds = 5000;
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

struct StreamState {
  std::string last_id = "0-0";  // of the last entry that it ever had, deleted or not
  std::string last_entry;       // id of the last one that is still there; "" if it is empty
};

/// From a reply to XINFO STREAM.
StreamState stream_state(const RedisReply& reply, const char* stream) {
  StreamState state;
  if (reply.kind == RedisReply::Kind::error) {
    if (reply.text == "ERR no such key") return state;
    throw ServerError(fmt::format("{}: Redis refused XINFO: {}", stream, one_line(reply.text)));
  }
  state.last_id.clear();
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const RedisReply& value = reply.elements[i + 1];
    if (reply.elements[i].text == "last-generated-id") state.last_id = value.text;
    if (reply.elements[i].text == "last-entry" && !value.elements.empty()) state.last_entry = value.elements[0].text;
  }
  if (state.last_id.empty()) throw ServerError(fmt::format("{}: XINFO's reply has no last-generated-id", stream));
  return state;
}

/// The number that `text` begins with.
std::int64_t leading_number(const std::string& text, const char* what) {
  std::int64_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) {
    throw ServerError(fmt::format("{}: found '{}', expected a number", what, one_line(text)));
  }
  return number;
}

/// Redis' clock, milliseconds since 1970 as in the ids of entries, from a reply to TIME.
std::int64_t redis_clock(const RedisReply& reply) {
  if (reply.elements.size() != 2) throw ServerError("Redis sent a malformed reply to TIME");
  return leading_number(reply.elements[0].text, "TIME") * 1000 + leading_number(reply.elements[1].text, "TIME") / 1000;
}

std::string added_id(const RedisReply& reply, const char* stream) {
  if (reply.kind == RedisReply::Kind::error) {
    throw ServerError(fmt::format("{}: Redis refused XADD: {}", stream, one_line(reply.text)));
  }
  if (reply.kind != RedisReply::Kind::text) throw ServerError(fmt::format("{}: malformed reply to XADD", stream));
  return reply.text;
}

struct Entry {
  const char* stream;
  std::string id;
};

struct Answer {
  std::string id;
  Fields fields;
};

/// The one entry in a reply to XREAD COUNT 1 of one stream: [[stream, [[id, [field, value, ...]]]]].
Answer answer_in(const RedisReply& reply, const char* stream) {
  const auto malformed = [&] { return ServerError(fmt::format("{}: malformed reply to XREAD", stream)); };
  const auto array_of = [&](const RedisReply& r, std::size_t at_least) -> const std::vector<RedisReply>& {
    if (r.kind != RedisReply::Kind::array || r.elements.size() < at_least) throw malformed();
    return r.elements;
  };
  const RedisReply& entries = array_of(array_of(reply, 1)[0], 2)[1];
  const std::vector<RedisReply>& entry = array_of(array_of(entries, 1)[0], 2);
  const std::vector<RedisReply>& pairs = array_of(entry[1], 2);
  if (entry[0].kind != RedisReply::Kind::text || pairs.size() % 2 != 0) throw malformed();
  Answer answer{entry[0].text, {}};
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (pairs[i].kind != RedisReply::Kind::text || pairs[i + 1].kind != RedisReply::Kind::text) throw malformed();
    answer.fields[pairs[i].text] = pairs[i + 1].text;
  }
  return answer;
}

RedisCommand state_command(const char* stream) { return {"XINFO", "STREAM", stream}; }

RedisCommand deletion(const Entry& entry) { return {"XDEL", entry.stream, entry.id}; }

[[noreturn]] void refuse_mixed_questions(const char* stream) {
  throw ServerError(
      fmt::format("another client added to {} meanwhile; a language-model server serves one client at a time", stream));
}

Clock::time_point deadline_after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
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
  std::optional<Entry> question;               // the one of ours that is still in Redis
  std::vector<Entry> answers;                  // accepted, and still in Redis
  std::map<std::string, std::string> last_id;  // of each question's stream; ours, once we added to it

  /// `patience`: for a connection that is there already to answer.
  void connect(const RedisWait& patience) {
    if (connection.is_open()) {
      try {
        connection.run({"PING"}, patience);
        return;
      } catch (const ServerError&) {
        // Redis may have closed it between two trials.
      }
    }
    connection.open(options.host, options.port, options.database,
                    RedisWait(std::min(options.deadline_seconds, kConnectSeconds), patience.cancel));
  }

  bool is_ours(std::string_view stream, const std::string& id) const {
    return question && question->stream == stream && question->id == id;
  }

  /// Notes where the questions' streams stand. Throws if a client other than this is at work on them.
  void expect_to_be_alone(const RedisWait& wait) {
    std::vector<RedisCommand> commands = {{"TIME"}};
    for (const char* stream : kQuestionStreams) commands.push_back(state_command(stream));
    const std::vector<RedisReply> replies = connection.transaction(commands, wait);
    const std::int64_t now = redis_clock(replies[0]);
    std::map<std::string, std::string> found;
    for (std::size_t i = 0; i < kQuestionStreams.size(); ++i) {
      const char* stream = kQuestionStreams[i];
      const StreamState state = stream_state(replies[i + 1], stream);
      found[stream] = state.last_id;
      if (state.last_entry.empty() || is_ours(stream, state.last_entry)) continue;
      // An id of the future, from before Redis' clock was set back, tells no age.
      const std::int64_t age = now - leading_number(state.last_entry, stream);
      if (age >= 0 && age < kAtWorkMilliseconds) {
        throw ServerError(fmt::format(
            "another client is using this language-model server, which serves one at a time: it added to {} {:.1f} s "
            "ago (after a run that was killed, wait {} s)",
            stream, static_cast<double>(age) / 1000, kAtWorkMilliseconds / 1000));
      }
    }
    for (const auto& [stream, id] : last_id) {
      if (found[stream] != id) refuse_mixed_questions(stream.c_str());
    }
    last_id = std::move(found);
  }

  /// Puts a question in the place of our last one; returns the last id of `answer_stream` before it. The last one is
  /// answered, or a reset that is sent again: none but the newest is to be read.
  std::string ask(const char* stream, const char* field, const std::string& value, const char* answer_stream,
                  const RedisWait& wait) {
    std::vector<RedisCommand> commands = {
        state_command(stream), {"XADD", stream, "*", field, value}, state_command(answer_stream)};
    if (question) commands.push_back(deletion(*question));
    const std::vector<RedisReply> replies = connection.transaction(commands, wait);
    question = Entry{stream, added_id(replies[1], stream)};
    if (stream_state(replies[0], stream).last_id != last_id[stream]) refuse_mixed_questions(stream);
    last_id[stream] = question->id;
    return stream_state(replies[2], answer_stream).last_id;
  }

  /// The first entry of `stream` after the id `after`; nothing if there is none until `end`.
  std::optional<Fields> find_answer(const char* stream, const std::string& after, Clock::time_point end,
                                    const RedisWait& wait) {
    while (true) {
      wait.cancel->check();
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
      if (left.count() <= 0) return {};
      const auto block = std::min(left, kLongestBlock);
      const RedisReply reply = connection.run(
          {"XREAD", "COUNT", "1", "BLOCK", std::to_string(block.count()), "STREAMS", stream, after}, wait);
      if (reply.kind == RedisReply::Kind::nil) continue;
      Answer answer = answer_in(reply, stream);
      answers.push_back({stream, std::move(answer.id)});
      return std::move(answer.fields);
    }
  }

  [[noreturn]] void give_up(const char* asked, const char* stream, const char* other_cause = "") const {
    throw ServerError(fmt::format(
        "no answer to {} on {} within {} s; is the language-model server running and connected to this Redis?{}", asked,
        stream, options.deadline_seconds, other_cause));
  }

  /// Until a server answers. Says so if it doesn't at once and there is a `log`.
  void reset(Clock::time_point deadline, const RedisWait& wait, Log* log = nullptr) {
    std::optional<std::string> after;  // answers to the first reset count even when others follow
    while (true) {
      expect_to_be_alone(wait);
      const std::string before = ask(kReset, "done", "0", kDoneResetting, wait);
      if (!after) after = before;
      const Clock::time_point end = std::min(deadline, Clock::now() + kResetAgainAfter);
      if (find_answer(kDoneResetting, *after, end, wait)) return;
      if (end == deadline) give_up("the reset", kDoneResetting);
      if (log != nullptr) {
        log->info(fmt::format("waiting for the language-model server at {}, {} s at most", options.url(),
                              options.deadline_seconds));
        log = nullptr;
      }
    }
  }

  /// Deletes our question, and the answers if nobody else can have asked for them. Returns the stream that somebody
  /// else added to, nullptr if there is none.
  const char* clean_up(const RedisWait& wait) {
    std::vector<RedisCommand> commands;
    for (const char* stream : kQuestionStreams) commands.push_back(state_command(stream));
    if (question) commands.push_back(deletion(*question));
    const std::vector<RedisReply> replies = connection.transaction(commands, wait);
    question.reset();
    const std::vector<Entry> accepted = std::exchange(answers, {});
    for (std::size_t i = 0; i < kQuestionStreams.size(); ++i) {
      const char* stream = kQuestionStreams[i];
      if (stream_state(replies[i], stream).last_id != last_id[stream]) return stream;
    }
    for (const Entry& answer : accepted) connection.run(deletion(answer), wait);
    return nullptr;
  }

  void begin(const RedisWait& patience, const RedisWait& wait) {
    connect(patience);
    if (question || !answers.empty()) clean_up(wait);  // what forget() could not delete
    last_id.clear();
  }

  void finish(const RedisWait& wait) {
    if (const char* stream = clean_up(wait)) refuse_mixed_questions(stream);
  }

  /// After a failure, which is what the caller reports: nothing here adds to it.
  void forget() noexcept {
    try {
      const RedisWait wait(kForgetSeconds);
      if (question || !answers.empty()) {
        if (!connection.is_open()) connection.open(options.host, options.port, options.database, wait);
        clean_up(wait);
      }
    } catch (const std::exception&) {
    }
    connection.close();
  }

  /// What `work` returns; forgets after a failure, and says which server failed.
  template <typename Work>
  auto guarded(const Work& work) {
    try {
      return work();
    } catch (const ServerError& error) {
      forget();
      throw ServerError(fmt::format("language model at {}: {}{}", options.url(), error.what(),
                                    options.hint.empty() ? "" : fmt::format(" ({})", options.hint)));
    } catch (...) {
      forget();
      throw;
    }
  }

  void await_ready(const RunContext& context) {
    const RedisWait patience(std::min(options.deadline_seconds, kConnectSeconds), &context.cancel);
    const Clock::time_point deadline = deadline_after(options.deadline_seconds);
    const RedisWait wait(options.deadline_seconds + kRedisGraceSeconds, &context.cancel);
    begin(patience, wait);
    reset(deadline, wait, &context.log);
    finish(wait);
  }

  std::vector<SentenceCandidate> decode(const std::string& bytes, const CancelToken& cancel) {
    const Clock::time_point deadline = deadline_after(options.deadline_seconds);
    const RedisWait wait(options.deadline_seconds + kRedisGraceSeconds, &cancel);
    begin(wait, wait);
    reset(deadline, wait);

    const std::string before_partial = ask(kInput, "logits", bytes, kPartial, wait);
    const std::optional<Fields> partial = find_answer(kPartial, before_partial, deadline, wait);
    if (!partial) give_up("the logits", kPartial);
    if (!partial->contains("lm_response_partial")) {
      throw ServerError(fmt::format("{}: found no lm_response_partial", kPartial));
    }

    const std::string before_final = ask(kFinalize, "done", "0", kFinal, wait);
    const std::optional<Fields> sentences = find_answer(kFinal, before_final, deadline, wait);
    if (!sentences) {
      give_up("the request to finish", kFinal, " The public server also stops here when it was started with --nbest 1");
    }
    finish(wait);
    return candidates_of_answer(*sentences);
  }
};

RedisLanguageModel::RedisLanguageModel(RedisOptions options) : impl_(std::make_unique<Impl>()) {
  options.validate();
  impl_->options = std::move(options);
}

RedisLanguageModel::~RedisLanguageModel() = default;

std::string RedisLanguageModel::description() const { return impl_->options.url(); }

void RedisLanguageModel::await_ready(const RunContext& context) {
  context.cancel.check();
  impl_->guarded([&] { impl_->await_ready(context); });
}

std::vector<SentenceCandidate> RedisLanguageModel::decode(const LogitsView& logits, const RunContext& context) {
  const std::string bytes = server_bytes(logits);
  if (bytes.empty()) return {};
  context.cancel.check();
  return impl_->guarded([&] { return impl_->decode(bytes, context.cancel); });
}

}  // namespace brainquant
