#include "language_model/redis_test_server.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace brainquant::testing {

namespace {

using Reply = std::unique_ptr<redisReply, void (*)(void*)>;

Reply call(redisContext* context, const std::vector<std::string>& command) {
  std::vector<const char*> arguments;
  std::vector<std::size_t> lengths;
  for (const std::string& argument : command) {
    arguments.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  Reply reply(static_cast<redisReply*>(
                  redisCommandArgv(context, static_cast<int>(arguments.size()), arguments.data(), lengths.data())),
              freeReplyObject);
  if (!reply) throw std::runtime_error("test client: " + command[0] + ": " + context->errstr);
  if (reply->type == REDIS_REPLY_ERROR) throw std::runtime_error("test client: " + command[0] + ": " + reply->str);
  return reply;
}

std::string text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
      return "nil";
    case REDIS_REPLY_ARRAY: {
      std::string text = "[";
      for (std::size_t i = 0; i < reply.elements; ++i) text += (i > 0 ? "," : "") + text_of(*reply.element[i]);
      return text + "]";
    }
    default:
      return std::string(reply.str, reply.len);
  }
}

std::vector<StreamEntry> entries_of(const redisReply& list) {
  std::vector<StreamEntry> entries;
  for (std::size_t i = 0; i < list.elements; ++i) {
    StreamEntry entry{text_of(*list.element[i]->element[0]), {}};
    const redisReply& pairs = *list.element[i]->element[1];
    for (std::size_t k = 0; k + 1 < pairs.elements; k += 2) {
      entry.fields[text_of(*pairs.element[k])] = text_of(*pairs.element[k + 1]);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

int free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener < 0 || bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  close(listener);
  return ntohs(address.sin_port);
}

RedisServer::RedisServer(std::vector<std::string> extra_arguments) {
  if (::system("command -v redis-server > /dev/null") != 0) {
    throw std::runtime_error("redis-server is not installed: run scripts/setup.sh (Debian's package is redis-server)");
  }
  std::string folder = (std::filesystem::temp_directory_path() / "brainquant-redis-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = folder;
  // Another process may take the port first.
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (start(extra_arguments)) return;
  }
  std::filesystem::remove_all(folder_);
  throw std::runtime_error("redis-server does not start");
}

bool RedisServer::start(const std::vector<std::string>& extra_arguments) {
  port_ = free_port();
  std::vector<std::string> words = {"redis-server",
                                    "--port",
                                    std::to_string(port_),
                                    "--bind",
                                    "127.0.0.1",
                                    "--save",
                                    "",
                                    "--appendonly",
                                    "no",
                                    "--dir",
                                    folder_.string(),
                                    "--logfile",
                                    (folder_ / "redis.log").string()};
  words.insert(words.end(), extra_arguments.begin(), extra_arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  for (int wait = 0; wait < 1000; ++wait) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    const std::unique_ptr<redisContext, void (*)(redisContext*)> probe(redisConnect("127.0.0.1", port_), redisFree);
    if (probe && probe->err == 0) {
      const Reply reply(static_cast<redisReply*>(redisCommand(probe.get(), "PING")), freeReplyObject);
      if (reply) return true;  // also one that asks for a password
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill();
  return false;
}

RedisServer::~RedisServer() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RedisServer::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::freeze() { ::kill(pid_, SIGSTOP); }
void RedisServer::thaw() { ::kill(pid_, SIGCONT); }

RedisClient::RedisClient(int port, int database) : context_(redisConnect("127.0.0.1", port), redisFree) {
  if (!context_ || context_->err != 0) throw std::runtime_error("test client: no connection");
  run({"SELECT", std::to_string(database)});
}

RedisClient::~RedisClient() = default;

std::string RedisClient::run(const std::vector<std::string>& command) {
  return text_of(*call(context_.get(), command));
}

std::string RedisClient::add(const std::string& stream, const std::vector<std::string>& fields_and_values,
                             const std::string& id) {
  std::vector<std::string> command = {"XADD", stream, id};
  command.insert(command.end(), fields_and_values.begin(), fields_and_values.end());
  return run(command);
}

std::vector<StreamEntry> RedisClient::read(const std::string& stream, const std::string& after, int block_ms) {
  std::vector<std::string> command = {"XREAD", "COUNT", "1"};
  if (block_ms > 0) command.insert(command.end(), {"BLOCK", std::to_string(block_ms)});
  command.insert(command.end(), {"STREAMS", stream, after});
  const Reply reply = call(context_.get(), command);
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) return {};
  return entries_of(*reply->element[0]->element[1]);
}

std::vector<StreamEntry> RedisClient::entries(const std::string& stream) {
  return entries_of(*call(context_.get(), {"XRANGE", stream, "-", "+"}));
}

std::vector<std::string> RedisClient::ids(const std::string& stream) {
  std::vector<std::string> ids;
  for (const StreamEntry& entry : entries(stream)) ids.push_back(entry.id);
  return ids;
}

std::map<std::string, std::string> RedisClient::dump() {
  std::map<std::string, std::string> keys;
  const Reply names = call(context_.get(), {"KEYS", "*"});
  for (std::size_t i = 0; i < names->elements; ++i) {
    const std::string name = text_of(*names->element[i]);
    keys[name] = run({"DUMP", name});
  }
  return keys;
}

}  // namespace brainquant::testing
