#include "brainquant/evaluation/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "brainquant/support/atomic_file.h"
#include "brainquant/support/error.h"

namespace brainquant {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kJournalVersion = 1;
constexpr std::size_t kMostJournalBytes = std::size_t{1} << 30;

json json_of(const TrialResult& trial, std::int64_t logits_offset) {
  return {{"index", trial.index},
          {"session", trial.session},
          {"name", trial.name},
          {"block", trial.block},
          {"trial", trial.trial},
          {"corpus", trial.corpus},
          {"bins", trial.bins},
          {"steps", trial.steps},
          {"phonemes", trial.phonemes},
          {"phonemes_ctc", trial.phonemes_ctc},
          {"true_phonemes", trial.true_phonemes},
          {"true_sentence", trial.true_sentence},
          {"model_seconds", trial.model_seconds},
          {"logits_offset", logits_offset}};
}

TrialResult trial_of(const json& line) {
  TrialResult trial;
  line.at("index").get_to(trial.index);
  line.at("session").get_to(trial.session);
  line.at("name").get_to(trial.name);
  line.at("block").get_to(trial.block);
  line.at("trial").get_to(trial.trial);
  line.at("corpus").get_to(trial.corpus);
  line.at("bins").get_to(trial.bins);
  line.at("steps").get_to(trial.steps);
  line.at("phonemes").get_to(trial.phonemes);
  line.at("phonemes_ctc").get_to(trial.phonemes_ctc);
  line.at("true_phonemes").get_to(trial.true_phonemes);
  line.at("true_sentence").get_to(trial.true_sentence);
  line.at("model_seconds").get_to(trial.model_seconds);
  return trial;
}

// Names in files need not be UTF-8; a journal line always is.
std::string line_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

// A lock that ends with the process, so that two runs never write the same results.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0) throw FileError(path.string(), fmt::format("cannot open: {}", std::strerror(errno)));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      throw FileError(path.string(), "another evaluation is writing these results");
    }
  }
  ~FileLock() { ::close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

std::string header_line(const std::string& identity) {
  return line_of({{"brainquant_journal", kJournalVersion}, {"identity", identity}});
}

fs::path prepared(const fs::path& path) {
  if (fs::is_directory(path)) throw FileError(path.string(), "is a folder, a file is to be written there");
  if (path.has_parent_path()) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) throw FileError(path.parent_path().string(), "cannot create the folder: " + error.message());
  }
  return path;
}

}  // namespace

struct Journal::Impl {
  Impl(fs::path journal_path, bool logits_too, std::int64_t model_classes)
      : path(prepared(journal_path)),
        logits_path(path.string() + ".logits"),
        keep_logits(logits_too),
        classes(model_classes),
        lock(path) {}

  // Reads the lines of an earlier run of the same identity; returns the bytes worth keeping.
  std::size_t take_over(const std::string& identity, std::size_t trial_count, const RunContext& context);
  void take_line(const json& line, std::size_t trial_count, std::int64_t logits_there);
  std::int64_t logits_bytes(std::int64_t steps) const {
    return steps * classes * static_cast<std::int64_t>(sizeof(float));
  }

  fs::path path;
  fs::path logits_path;
  bool keep_logits;
  std::int64_t classes;
  FileLock lock;
  std::map<std::size_t, TrialResult> trials;
  std::map<std::size_t, std::int64_t> offsets;  // of logits
  std::map<std::size_t, std::string> made_by;   // language model of a trial's sentence
  std::int64_t logits_end = 0;
  std::unique_ptr<AppendFile> lines;
  std::unique_ptr<AppendFile> values;
};

void Journal::Impl::take_line(const json& line, std::size_t trial_count, std::int64_t logits_there) {
  if (line.contains("sentence")) {
    const auto found = trials.find(line.at("index").get<std::size_t>());
    if (found == trials.end()) throw WorkError("a sentence without its trial");
    line.at("seconds").get_to(found->second.language_model_seconds);
    found->second.sentence = line.at("sentence").get<std::string>();
    made_by[found->first] = line.at("language_model").get<std::string>();
    return;
  }
  TrialResult trial = trial_of(line);
  const auto offset = line.at("logits_offset").get<std::int64_t>();
  if (trial.index >= trial_count || trial.steps < 0) throw WorkError("a trial that the data set does not have");
  if (keep_logits) {
    const bool follows = offset == logits_end && trial.steps <= logits_there / logits_bytes(1);
    if (!follows || offset + logits_bytes(trial.steps) > logits_there) throw WorkError("logits that are not there");
    logits_end = offset + logits_bytes(trial.steps);
    offsets[trial.index] = offset;
  }
  trials[trial.index] = std::move(trial);
}

std::size_t Journal::Impl::take_over(const std::string& identity, std::size_t trial_count, const RunContext& context) {
  const std::string text = read_file(path, kMostJournalBytes);
  const std::string header = header_line(identity);
  if (!text.starts_with(header)) {
    if (!text.empty()) {
      context.log.info(
          fmt::format("{}: left by a run with another model, data or options; starting anew", path.string()));
    }
    return 0;
  }
  std::error_code none;
  const auto size = keep_logits && fs::exists(logits_path, none) ? fs::file_size(logits_path, none) : 0;
  const auto logits_there = none ? std::int64_t{0} : static_cast<std::int64_t>(size);
  std::size_t kept = header.size();
  for (std::size_t end; (end = text.find('\n', kept)) != std::string::npos; kept = end + 1) {
    // The first line that can't be used is where an earlier run was cut off.
    try {
      take_line(json::parse(text.begin() + static_cast<std::ptrdiff_t>(kept),
                            text.begin() + static_cast<std::ptrdiff_t>(end)),
                trial_count, logits_there);
    } catch (const json::exception&) {
      break;
    } catch (const WorkError&) {
      break;
    }
  }
  if (!trials.empty()) {
    context.log.info(fmt::format("{}: going on after {} of {} trials that an earlier run finished", path.string(),
                                 trials.size(), trial_count));
  }
  return kept;
}

Journal::Journal(fs::path path, std::string identity, bool keep_logits, std::size_t trials, std::int64_t classes,
                 const RunContext& context)
    : impl_(std::make_unique<Impl>(std::move(path), keep_logits, classes)) {
  const std::size_t kept = impl_->take_over(identity, trials, context);
  if (keep_logits) {
    impl_->values = std::make_unique<AppendFile>(impl_->logits_path, static_cast<std::size_t>(impl_->logits_end));
  }
  impl_->lines = std::make_unique<AppendFile>(impl_->path, kept);
  if (kept == 0) impl_->lines->append(header_line(identity));
}

Journal::~Journal() = default;

const std::map<std::size_t, TrialResult>& Journal::trials() const { return impl_->trials; }

void Journal::add(const std::vector<TrialResult>& results, const std::vector<Logits>& logits) {
  std::string lines;
  std::string values;
  std::int64_t end = impl_->logits_end;
  for (std::size_t i = 0; i < results.size(); ++i) {
    lines += line_of(json_of(results[i], end));
    if (!impl_->keep_logits) continue;
    impl_->offsets[results[i].index] = end;
    const std::vector<float>& floats = logits.at(i).values;
    values.append(reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float));
    end += static_cast<std::int64_t>(floats.size() * sizeof(float));
  }
  // Values before lines: a line promises that its values are there.
  if (!values.empty()) impl_->values->append(values);
  impl_->logits_end = end;
  impl_->lines->append(lines);
  for (const TrialResult& result : results) impl_->trials[result.index] = result;
}

void Journal::add_sentence(std::size_t index, const std::string& language_model, const std::string& sentence,
                           double seconds) {
  TrialResult& trial = impl_->trials.at(index);
  impl_->lines->append(
      line_of({{"index", index}, {"language_model", language_model}, {"sentence", sentence}, {"seconds", seconds}}));
  trial.sentence = sentence;
  trial.language_model_seconds = seconds;
  impl_->made_by[index] = language_model;
}

void Journal::keep_sentences_of(const std::string& language_model) {
  for (auto& [index, trial] : impl_->trials) {
    if (!trial.sentence || impl_->made_by[index] == language_model) continue;
    trial.sentence.reset();
    trial.language_model_seconds = 0;
  }
}

Logits Journal::logits(std::size_t index) const {
  const TrialResult& trial = impl_->trials.at(index);
  Logits logits{trial.steps, impl_->classes, {}};
  logits.values.resize(static_cast<std::size_t>(trial.steps * impl_->classes));
  const int fd = ::open(impl_->logits_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw FileError(impl_->logits_path.string(), fmt::format("cannot open: {}", std::strerror(errno)));
  char* at = reinterpret_cast<char*>(logits.values.data());
  std::size_t left = logits.values.size() * sizeof(float);
  off_t offset = static_cast<off_t>(impl_->offsets.at(index));
  while (left > 0) {
    const ssize_t got = ::pread(fd, at, left, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const std::string problem = got < 0 ? std::strerror(errno) : "is shorter than it was";
      ::close(fd);
      throw FileError(impl_->logits_path.string(), "cannot read: " + problem);
    }
    at += got;
    offset += got;
    left -= static_cast<std::size_t>(got);
  }
  ::close(fd);
  return logits;
}

void Journal::remove() {
  std::error_code ignored;
  fs::remove(impl_->path, ignored);
  fs::remove(impl_->logits_path, ignored);
}

}  // namespace brainquant
