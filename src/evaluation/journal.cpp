#include "evaluation/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "brainquant/support/error.h"
#include "evaluation/json_fields.h"
#include "support/atomic_file.h"
#include "support/descriptor.h"

namespace brainquant {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, SentenceCandidate>& candidate) {
  fields.bytes("sentence", candidate.sentence);
  fields("acoustic", candidate.acoustic);
  fields("ngram", candidate.ngram);
  fields("llm", candidate.llm);
  fields("total", candidate.total);
}

namespace {

constexpr int kJournalVersion = 2;
constexpr std::size_t kMostJournalBytes = std::size_t{1} << 30;
constexpr std::size_t kChecksumDigits = 8;

// A finished trial, and where its logits begin in NAME.logits, in bytes.
struct TrialLine {
  TrialResult trial;
  std::int64_t logits_offset = 0;
};

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, TrialLine>& line) {
  auto& trial = line.trial;
  fields("index", trial.index);
  fields.bytes("session", trial.session);
  fields.bytes("name", trial.name);
  fields("block", trial.block);
  fields("trial", trial.trial_num);
  fields.bytes("corpus", trial.corpus);
  fields("bins", trial.bins);
  fields("steps", trial.steps);
  fields("phonemes", trial.phonemes);
  fields("phonemes_ctc", trial.phonemes_ctc);
  fields("true_phonemes", trial.true_phonemes);
  fields.bytes("true_sentence", trial.true_sentence);
  fields("model_seconds", trial.model_seconds);
  fields("logits_offset", line.logits_offset);
}

// What a language model made of a trial that is there already.
struct SentenceLine {
  std::size_t index = 0;
  std::string language_model;
  MadeSentence made;
};

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, SentenceLine>& line) {
  fields("index", line.index);
  fields.bytes("language_model", line.language_model);
  fields.bytes("sentence", line.made.text);
  fields("seconds", line.made.seconds);
  fields.added_later("margin", line.made.margin);
  fields.only_with_value("candidates", line.made.candidates);
}

void take_sentence(TrialResult& trial, const MadeSentence& made) {
  trial.sentence = made.text;
  trial.sentence_margin = made.margin;
  trial.language_model_seconds = made.seconds;
  trial.candidates = made.candidates;
}

struct Header {
  int version = kJournalVersion;
  RunKey key;
  bool keeps_logits = false;
};

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, Header>& header) {
  fields("brainquant_journal", header.version);
  fields("key", header.key);
  fields("keeps_logits", header.keeps_logits);
}

std::string checksum(std::string_view text) {
  const auto* bytes = reinterpret_cast<const Bytef*>(text.data());
  return fmt::format("{:08x}", ::crc32(0, bytes, static_cast<uInt>(text.size())));
}

// "CHECKSUM JSON\n": the CRC-32 of the JSON in hexadecimal.
std::string line_of(const ordered_json& value) {
  const std::string text = value.dump();
  return checksum(text) + " " + text + "\n";
}

// A line's JSON; nothing if the line is not whole.
std::optional<ordered_json> parsed(std::string_view line) {
  if (line.size() <= kChecksumDigits || line[kChecksumDigits] != ' ') return {};
  const std::string_view text = line.substr(kChecksumDigits + 1);
  if (checksum(text) != line.substr(0, kChecksumDigits)) return {};
  ordered_json json = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return {};
  return json;
}

std::optional<Header> header_of(std::string_view line) try {
  const std::optional<ordered_json> json = parsed(line);
  if (!json) return {};
  Header header = struct_of_json<Header>(*json);
  if (header.version != kJournalVersion) return {};
  return header;
} catch (const ordered_json::exception&) {  // not one of ours
  return {};
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
  Impl(fs::path journal_path, bool logits_too, std::int64_t model_classes, RunLock journal_lock)
      : path(std::move(journal_path)),
        logits_path(path.string() + ".logits"),
        keep_logits(logits_too),
        classes(model_classes),
        lock(std::move(journal_lock)) {}

  // Reads the lines of an earlier run with the same key; returns the bytes worth keeping.
  std::size_t take_over(const RunKey& key, std::size_t trial_count, const RunContext& context);
  // Why nothing of an earlier run can be used.
  std::optional<std::string> obstacle(const std::optional<Header>& header, const RunKey& key) const;
  // False if the line can't be used.
  bool take_line(const ordered_json& line, std::size_t trial_count, std::int64_t logits_there);
  std::int64_t logits_bytes(std::int64_t steps) const {
    return steps * classes * static_cast<std::int64_t>(sizeof(float));
  }

  fs::path path;
  fs::path logits_path;
  bool keep_logits;
  std::int64_t classes;
  RunLock lock;
  std::map<std::size_t, TrialResult> trials;
  std::map<std::size_t, std::int64_t> offsets;  // of logits
  OutputNames outputs;
  std::map<std::size_t, std::string> made_by;  // language model of a trial's sentence
  std::int64_t logits_end = 0;
  std::unique_ptr<AppendFile> lines;
  std::unique_ptr<AppendFile> values;
};

bool Journal::Impl::take_line(const ordered_json& line, std::size_t trial_count, std::int64_t logits_there) try {
  if (line.contains("output")) {
    outputs.insert(bytes_of_json(line.at("output")));
    return true;
  }
  if (line.contains("sentence")) {
    const auto sentence = struct_of_json<SentenceLine>(line);
    const auto found = trials.find(sentence.index);
    if (found == trials.end()) return false;
    take_sentence(found->second, sentence.made);
    made_by[found->first] = sentence.language_model;
    return true;
  }
  auto [trial, offset] = struct_of_json<TrialLine>(line);
  if (trial.index >= trial_count || trial.steps < 0) return false;
  trial.resumed = true;
  if (keep_logits) {
    const bool follows = offset == logits_end && trial.steps <= logits_there / logits_bytes(1);
    if (!follows || offset + logits_bytes(trial.steps) > logits_there) return false;
    logits_end = offset + logits_bytes(trial.steps);
    offsets[trial.index] = offset;
  }
  trials[trial.index] = std::move(trial);
  return true;
} catch (const ordered_json::exception&) {  // whole, but not one of ours
  return false;
}

std::optional<std::string> Journal::Impl::obstacle(const std::optional<Header>& header, const RunKey& key) const {
  if (!header) return "left by another version, or damaged";
  if (const auto difference = key.difference(header->key)) return "left by another run: " + *difference;
  if (keep_logits && !header->keeps_logits) return "left by a run that kept no logits";
  return {};
}

std::size_t Journal::Impl::take_over(const RunKey& key, std::size_t trial_count, const RunContext& context) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return 0;
  const std::string text = read_file(path, kMostJournalBytes);
  if (text.empty()) return 0;
  const std::size_t end_of_header = text.find('\n');
  const std::optional<Header> header =
      end_of_header == std::string::npos ? std::nullopt : header_of(std::string_view(text).substr(0, end_of_header));
  if (const std::optional<std::string> problem = obstacle(header, key)) {
    context.log.info(fmt::format("{}: {}; starting over", path.string(), *problem));
    return 0;
  }
  keep_logits = header->keeps_logits;
  const auto size = keep_logits && fs::exists(logits_path, ignored) ? fs::file_size(logits_path, ignored) : 0;
  const auto logits_there = ignored ? std::int64_t{0} : static_cast<std::int64_t>(size);
  std::size_t kept = end_of_header + 1;
  for (std::size_t end; (end = text.find('\n', kept)) != std::string::npos; kept = end + 1) {
    const std::optional<ordered_json> line = parsed(std::string_view(text).substr(kept, end - kept));
    if (!line || !take_line(*line, trial_count, logits_there)) break;  // an earlier run was cut off here
  }
  if (!trials.empty()) {
    context.log.info(fmt::format("{}: resuming after {} of {} trials that an earlier run finished", path.string(),
                                 trials.size(), trial_count));
  }
  return kept;
}

Journal::Journal(const fs::path& path, const RunKey& key, bool keep_logits, std::size_t trials, std::int64_t classes,
                 WhenLocked when, const RunContext& context, const std::function<void(const OutputNames&)>& accept)
    : impl_(std::make_unique<Impl>(prepared(path), keep_logits, classes,
                                   RunLock(path.string() + ".lock", path.string(), when, context))) {
  const std::size_t kept = impl_->take_over(key, trials, context);
  if (accept) accept(impl_->outputs);
  if (impl_->keep_logits) {
    impl_->values = std::make_unique<AppendFile>(impl_->logits_path, static_cast<std::size_t>(impl_->logits_end));
  }
  impl_->lines = std::make_unique<AppendFile>(impl_->path, kept);
  if (kept == 0) impl_->lines->append(line_of(json_of_fields(Header{.key = key, .keeps_logits = impl_->keep_logits})));
}

Journal::~Journal() = default;

const std::map<std::size_t, TrialResult>& Journal::trials() const { return impl_->trials; }

void Journal::add(const std::vector<TrialResult>& results, const std::vector<Logits>& logits) {
  std::string lines;
  std::string values;
  std::int64_t end = impl_->logits_end;
  for (std::size_t i = 0; i < results.size(); ++i) {
    lines += line_of(json_of_fields(TrialLine{results[i], end}));
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

void Journal::add_sentence(std::size_t index, const std::string& language_model, const MadeSentence& sentence) {
  TrialResult& trial = impl_->trials.at(index);
  impl_->lines->append(line_of(json_of_fields(SentenceLine{index, language_model, sentence})));
  take_sentence(trial, sentence);
  impl_->made_by[index] = language_model;
}

void Journal::add_output(const fs::path& path) {
  if (!impl_->outputs.insert(path.string()).second) return;
  impl_->lines->append(line_of({{"output", json_of_bytes(path.string())}}));
}

void Journal::keep_sentences_of(const std::string& language_model, bool with_candidates) {
  for (auto& [index, trial] : impl_->trials) {
    if (!trial.sentence) continue;
    if (impl_->made_by[index] == language_model && (trial.candidates || !with_candidates)) continue;
    trial.sentence.reset();
    trial.sentence_margin.reset();
    trial.language_model_seconds = 0;
    trial.candidates.reset();
  }
}

Logits Journal::logits(std::size_t index) const {
  const TrialResult& trial = impl_->trials.at(index);
  Logits logits{trial.steps, impl_->classes, {}};
  logits.values.resize(static_cast<std::size_t>(trial.steps * impl_->classes));
  const Descriptor file(::open(impl_->logits_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    throw FileError(impl_->logits_path.string(), fmt::format("cannot open: {}", std::strerror(errno)));
  }
  char* at = reinterpret_cast<char*>(logits.values.data());
  std::size_t left = logits.values.size() * sizeof(float);
  off_t offset = static_cast<off_t>(impl_->offsets.at(index));
  while (left > 0) {
    const ssize_t got = ::pread(file.get(), at, left, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const std::string problem = got < 0 ? std::strerror(errno) : "is shorter than it was";
      throw FileError(impl_->logits_path.string(), "cannot read: " + problem);
    }
    at += got;
    offset += got;
    left -= static_cast<std::size_t>(got);
  }
  return logits;
}

void Journal::remove() {
  std::error_code ignored;
  fs::remove(impl_->path, ignored);
  fs::remove(impl_->logits_path, ignored);
}

}  // namespace brainquant
