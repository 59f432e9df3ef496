#include "language_model/redis_connection.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

constexpr std::chrono::milliseconds kLongestSleep{50};

std::string system_message(int error) { return std::generic_category().message(error); }

std::string format_command(const RedisCommand& command) {
  std::vector<const char*> arguments;
  std::vector<std::size_t> lengths;
  for (const std::string& argument : command) {
    arguments.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  char* bytes = nullptr;
  const int size = redisFormatCommandArgv(&bytes, static_cast<int>(arguments.size()), arguments.data(), lengths.data());
  if (size < 0) throw ServerError("a command for Redis could not be formed: out of memory");
  std::string formatted(bytes, static_cast<std::size_t>(size));
  redisFreeCommand(bytes);
  return formatted;
}

// Nesting is bounded by hiredis' reader.
RedisReply convert(const redisReply& raw) {
  RedisReply reply;
  switch (raw.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = RedisReply::Kind::integer;
      reply.integer = raw.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
      reply.kind = raw.type == REDIS_REPLY_STRING   ? RedisReply::Kind::text
                   : raw.type == REDIS_REPLY_STATUS ? RedisReply::Kind::status
                                                    : RedisReply::Kind::error;
      reply.text.assign(raw.str, raw.len);
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = RedisReply::Kind::array;
      reply.elements.reserve(raw.elements);
      for (std::size_t i = 0; i < raw.elements; ++i) reply.elements.push_back(convert(*raw.element[i]));
      break;
    default:  // REDIS_REPLY_NIL; the reader makes no other types
      break;
  }
  return reply;
}

struct ReplyDeleter {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

}  // namespace

std::string one_line(const std::string& text) {
  constexpr std::size_t kLongest = 300;
  std::string line = text.substr(0, kLongest);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return line;
}

void RedisConnection::ContextDeleter::operator()(redisContext* context) const { redisFree(context); }

RedisConnection::RedisConnection() = default;
RedisConnection::~RedisConnection() = default;

void RedisConnection::close() { context_.reset(); }

void RedisConnection::fail(const std::string& problem) {
  close();
  throw ServerError(problem);
}

void RedisConnection::open(const std::string& host, int port, int database, const RedisWait& wait) {
  connect(host, port, wait);
  run({"SELECT", std::to_string(database)}, wait);
}

void RedisConnection::connect(const std::string& host, int port, const RedisWait& wait) {
  context_.reset(redisConnectNonBlock(host.c_str(), port));
  if (!context_) fail("can't connect to Redis: out of memory");
  if (context_->err != 0) fail(fmt::format("can't connect to Redis: {}", one_line(context_->errstr)));
  wait_until(POLLOUT, wait);
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) fail(fmt::format("can't connect to Redis: {}", system_message(error)));
}

void RedisConnection::wait_until(short events, const RedisWait& wait) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(wait.end - std::chrono::steady_clock::now());
    if (left.count() <= 0) fail(fmt::format("Redis itself did not answer within {:g} s", wait.seconds));
    pollfd waiting{context_->fd, events, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min(left, kLongestSleep).count()));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) fail(fmt::format("waiting for Redis failed: {}", system_message(errno)));
    // Only when Redis is slow: a cancel must not tear off a short command whose reply says what was added.
    if (ready == 0 && wait.cancel != nullptr && wait.cancel->cancelled()) {
      close();
      wait.cancel->check();
    }
  }
}

void RedisConnection::send(const std::string& bytes, const RedisWait& wait) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    // Not hiredis' own writing: that raises SIGPIPE when Redis has gone.
    const ssize_t count = ::send(context_->fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_until(POLLOUT, wait);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return;  // receive() finds out why: Redis may have said it before it closed
    } else if (errno != EINTR) {
      fail(fmt::format("sending to Redis failed: {}", system_message(errno)));
    }
  }
}

RedisReply RedisConnection::receive(const RedisWait& wait) {
  while (true) {
    void* raw = nullptr;
    if (redisGetReplyFromReader(context_.get(), &raw) != REDIS_OK) {
      fail(fmt::format("Redis sent what can't be read: {}", one_line(context_->errstr)));
    }
    if (raw != nullptr) {
      const std::unique_ptr<redisReply, ReplyDeleter> owned(static_cast<redisReply*>(raw));
      return convert(*owned);
    }
    wait_until(POLLIN, wait);
    if (redisBufferRead(context_.get()) != REDIS_OK) {
      fail(fmt::format("the connection to Redis was lost: {}", one_line(context_->errstr)));
    }
  }
}

RedisReply RedisConnection::run(const RedisCommand& command, const RedisWait& wait) {
  send(format_command(command), wait);
  RedisReply reply = receive(wait);
  if (reply.kind == RedisReply::Kind::error) {
    fail(fmt::format("Redis refused {}: {}", command.front(), one_line(reply.text)));
  }
  return reply;
}

std::vector<RedisReply> RedisConnection::transaction(const std::vector<RedisCommand>& commands, const RedisWait& wait) {
  std::string bytes = format_command({"MULTI"});
  for (const RedisCommand& command : commands) bytes += format_command(command);
  bytes += format_command({"EXEC"});
  send(bytes, wait);

  for (std::size_t i = 0; i <= commands.size(); ++i) {
    const RedisReply queued = receive(wait);
    if (queued.kind == RedisReply::Kind::error) {
      fail(fmt::format("Redis refused {}: {}", i == 0 ? "MULTI" : commands[i - 1].front(), one_line(queued.text)));
    }
  }
  RedisReply executed = receive(wait);
  if (executed.kind == RedisReply::Kind::error) fail(fmt::format("Redis refused EXEC: {}", one_line(executed.text)));
  if (executed.kind != RedisReply::Kind::array || executed.elements.size() != commands.size()) {
    fail("Redis sent a malformed reply to EXEC");
  }
  return std::move(executed.elements);
}

}  // namespace brainquant
