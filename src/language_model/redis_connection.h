// A connection to Redis whose every wait can be cancelled and has an end.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "brainquant/support/run_context.h"

struct redisContext;

namespace brainquant {

struct RedisReply {
  enum class Kind { nil, integer, text, status, error, array };
  Kind kind = Kind::nil;
  long long integer = 0;
  std::string text;  // of text, status and error; may hold any bytes
  std::vector<RedisReply> elements;
};

/// How long to wait, from now on. Without `cancel` nothing but time ends a wait.
struct RedisWait {
  explicit RedisWait(double duration_seconds, const CancelToken* token = nullptr)
      : seconds(duration_seconds),
        end(std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                   std::chrono::duration<double>(duration_seconds))),
        cancel(token) {}
  double seconds;
  std::chrono::steady_clock::time_point end;
  const CancelToken* cancel;
};

using RedisCommand = std::vector<std::string>;

/// Text of a server's on one line: control characters become spaces, 300 bytes at most.
std::string one_line(const std::string& text);

/// Every function throws ServerError when Redis can't be reached, refuses, sends what isn't its protocol, goes away or
/// is silent until wait.end, and Interrupted within 0.1 s of a cancel. After either the connection is closed.
class RedisConnection {
 public:
  RedisConnection();
  ~RedisConnection();

  bool is_open() const { return context_ != nullptr; }
  /// Connects and selects the database.
  void open(const std::string& host, int port, int database, const RedisWait& wait);
  void close();

  /// The reply, which is never an error.
  RedisReply run(const RedisCommand& command, const RedisWait& wait);
  /// Runs the commands with nobody else's between them. Replies in their order; one that failed has kind error.
  std::vector<RedisReply> transaction(const std::vector<RedisCommand>& commands, const RedisWait& wait);

 private:
  void connect(const std::string& host, int port, const RedisWait& wait);
  void send(const std::string& bytes, const RedisWait& wait);
  RedisReply receive(const RedisWait& wait);
  void wait_until(short events, const RedisWait& wait);
  [[noreturn]] void fail(const std::string& problem);

  struct ContextDeleter {
    void operator()(redisContext* context) const;
  };
  std::unique_ptr<redisContext, ContextDeleter> context_;
};

}  // namespace brainquant
