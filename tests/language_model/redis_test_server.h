// A real redis-server of a test's own, and a client that speaks to it without the code under test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct redisContext;

namespace brainquant::testing {

/// A free TCP port of this machine, as far as can be known before it is used.
int free_port();

/// Runs without persistence, in a folder of its own below the system's temporary one; killed by the destructor, and by
/// the kernel should the test process die. Throws std::runtime_error when redis-server is not installed or does not
/// start.
class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> extra_arguments = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  int port() const { return port_; }
  void kill();    // as a power cut would
  void freeze();  // keeps its connections, answers nothing
  void thaw();

 private:
  bool start(const std::vector<std::string>& extra_arguments);
  pid_t pid_ = -1;
  int port_ = 0;
  std::filesystem::path folder_;
};

struct StreamEntry {
  std::string id;
  std::map<std::string, std::string> fields;
};

/// Blocking; throws std::runtime_error on any failure.
class RedisClient {
 public:
  explicit RedisClient(int port, int database = 0);
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  /// The reply as text: strings and integers as they are, arrays as "[a,b]", nil as "nil".
  std::string run(const std::vector<std::string>& command);
  /// Returns the id.
  std::string add(const std::string& stream, const std::vector<std::string>& fields_and_values,
                  const std::string& id = "*");
  /// At most one entry after `id`; waits for up to `block_ms` if that is above 0.
  std::vector<StreamEntry> read(const std::string& stream, const std::string& after, int block_ms);
  std::vector<StreamEntry> entries(const std::string& stream);
  std::vector<std::string> ids(const std::string& stream);
  /// Redis' own serialisation of every key of the database.
  std::map<std::string, std::string> dump();

 private:
  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

}  // namespace brainquant::testing
