#include "model/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "brainquant/support/error.h"
#include "io/csv.h"
#include "io/hdf5.h"
#include "model/config_limits.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostLabels = 1'000'000;
constexpr std::size_t kMostNamed = 10;  // names that a message lists
constexpr const char* kFeatures = "input_features";
constexpr const char* kLabels = "seq_class_ids";

// "t15.2023.08.11" was recorded on 2023-08-11.
std::string date_of(const std::string& session) {
  std::string date = session.substr(std::min(session.find('.') + 1, session.size()));
  std::replace(date.begin(), date.end(), '.', '-');
  return date;
}

std::string some_of(const std::vector<std::string>& names) {
  const std::size_t listed = std::min(names.size(), kMostNamed);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(listed), ", "));
  if (listed < names.size()) text += fmt::format(" and {} more", names.size() - listed);
  return text;
}

// Size and modification time, in units that tell two versions of a file apart.
std::string state_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) throw FileError(path.string(), "cannot read its size: " + error.message());
  const auto time = fs::last_write_time(path, error);
  if (error) throw FileError(path.string(), "cannot read when it was modified: " + error.message());
  return fmt::format("{} bytes, modified {} ns", size,
                     std::chrono::file_clock::to_sys(time).time_since_epoch().count());
}

// Which corpus a session's block belongs to, by the description CSV.
class Corpora {
 public:
  explicit Corpora(const fs::path& path) : path_(path.string()) {
    const CsvTable table(path);
    const std::size_t date = table.column("Date");
    const std::size_t block = table.column("Block number");
    const std::size_t corpus = table.column("Corpus");
    for (const CsvRow& row : table.rows()) {
      for (const std::size_t used : {date, block, corpus}) refuse_control_bytes(table, row, used);
      const std::string& text = row.fields[block];
      std::int64_t number = 0;
      const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (problem != std::errc() || end != text.data() + text.size()) {
        throw FormatError(path_, fmt::format("line {}, Block number", row.line), fmt::format("'{}'", text),
                          "an integer");
      }
      const auto [known, is_new] =
          corpora_.emplace(std::pair(row.fields[date], number), Named{row.fields[corpus], row.line});
      if (!is_new && known->second.corpus != row.fields[corpus]) {
        throw FormatError(path_, fmt::format("line {}, Corpus", row.line), fmt::format("'{}'", row.fields[corpus]),
                          fmt::format("'{}', which line {} says of the same Date {} and Block number {}",
                                      known->second.corpus, known->second.line, row.fields[date], number));
      }
    }
  }

  const std::string& of(const std::string& session, std::int64_t block, const std::string& trial) const {
    const std::string date = date_of(session);
    const auto found = corpora_.find({date, block});
    if (found == corpora_.end()) {
      throw FormatError(path_, "",
                        fmt::format("no row with Date {} and Block number {}, which {} has", date, block, trial));
    }
    return found->second.corpus;
  }

 private:
  struct Named {
    std::string corpus;
    std::size_t line;
  };

  void refuse_control_bytes(const CsvTable& table, const CsvRow& row, std::size_t column) const {
    for (const char c : row.fields[column]) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte >= 0x20 || c == '\t' || c == '\n' || c == '\r') && byte != 0x7f) continue;
      throw FormatError(path_, fmt::format("line {}, {}", row.line, table.header()[column]),
                        fmt::format("the control byte 0x{:02x}", byte), "text");
    }
  }

  std::string path_;
  std::map<std::pair<std::string, std::int64_t>, Named> corpora_;
};

}  // namespace

struct Dataset::Impl {
  struct Entry {
    std::size_t file;  // in `files`
    std::string name;
    std::int64_t bins = -1;  // -1: not looked up yet
  };
  struct SessionFile {
    fs::path path;
    std::string session;
    std::int64_t session_index;
  };

  Impl(const DecoderConfig& model, const DatasetOptions& chosen) : config(model), options(chosen) {}

  void check_options() const;
  void find_files(const RunContext& context);
  void warn_of_other_folders(const RunContext& context) const;
  void list_trials(const RunContext& context);
  void describe();

  const Entry& entry(std::size_t index) const { return entries.at(index); }
  const SessionFile& file_of(std::size_t index) const { return files[entry(index).file]; }
  Hdf5Group open(std::size_t index);
  std::int64_t bins_of(const Hdf5Group& group, std::size_t index) const;
  void read_features(const Hdf5Group& group, Trial& trial, const std::string& path) const;
  void read_labels(const Hdf5Group& group, Trial& trial, const std::string& path) const;

  DecoderConfig config;
  DatasetOptions options;
  std::vector<SessionFile> files;
  std::vector<Entry> entries;
  std::optional<Corpora> corpora;  // none for the train split
  std::string fingerprint;
  std::unique_ptr<Hdf5File> open_file;  // one at a time
  std::size_t open_index = 0;
};

void Dataset::Impl::check_options() const {
  std::error_code error;
  if (!fs::is_directory(options.data_dir, error)) {
    throw FileError(options.data_dir.string(), fs::exists(options.data_dir, error) ? "not a folder" : "no such folder");
  }
  if (options.max_trials && *options.max_trials < 1) {
    throw UsageError(fmt::format("max_trials is {}: it must be at least 1", *options.max_trials));
  }
  for (const std::string& session : options.sessions) {
    if (std::find(config.sessions.begin(), config.sessions.end(), session) == config.sessions.end()) {
      throw FormatError(options.data_dir.string(), session, "the model has no such session");
    }
  }
}

void Dataset::Impl::find_files(const RunContext& context) {
  const std::string file_name = fmt::format("data_{}.hdf5", name_of(options.split));
  std::vector<std::string> skipped;
  std::size_t selected = 0;
  for (std::size_t i = 0; i < config.sessions.size(); ++i) {
    const std::string& session = config.sessions[i];
    const auto& only = options.sessions;
    if (!only.empty() && std::find(only.begin(), only.end(), session) == only.end()) continue;
    ++selected;
    const fs::path path = options.data_dir / session / file_name;
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) {
      skipped.push_back(session);
    } else if (error) {
      throw FileError(path.string(), "cannot look it up: " + error.message());
    } else {
      files.push_back({path, session, static_cast<std::int64_t>(i)});
    }
  }
  if (files.empty()) {
    throw FormatError(options.data_dir.string(), "",
                      fmt::format("no {} in any of the {} sessions asked for", file_name, selected));
  }
  if (!skipped.empty()) {
    context.log.info(fmt::format("{} of {} sessions have no {} and are skipped: {}", skipped.size(), selected,
                                 file_name, some_of(skipped)));
  }
}

void Dataset::Impl::warn_of_other_folders(const RunContext& context) const {
  const std::set<std::string> known(config.sessions.begin(), config.sessions.end());
  std::vector<std::string> others;
  std::error_code error;
  for (auto at = fs::directory_iterator(options.data_dir, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code unreadable;
    if (!name.starts_with('.') && !known.contains(name) && at->is_directory(unreadable)) others.push_back(name);
  }
  if (error) throw FileError(options.data_dir.string(), "cannot list the folder: " + error.message());
  std::sort(others.begin(), others.end());
  if (!others.empty()) {
    context.log.warning(fmt::format("{}: {} folders that the model's args.yaml does not name are ignored: {}",
                                    options.data_dir.string(), others.size(), some_of(others)));
  }
}

void Dataset::Impl::list_trials(const RunContext& context) {
  const std::size_t most = options.max_trials ? static_cast<std::size_t>(*options.max_trials) : entries.max_size();
  for (std::size_t f = 0; f < files.size() && entries.size() < most; ++f) {
    context.cancel.check();
    std::vector<std::string> others;
    for (std::string& name : Hdf5File(files[f].path).names()) {
      if (!name.starts_with("trial_")) {
        others.push_back(name);
      } else if (entries.size() < most) {
        entries.push_back({f, std::move(name)});
      }
    }
    if (!others.empty()) {
      context.log.warning(fmt::format("{}: ignored, not named trial_*: {}", files[f].path.string(), some_of(others)));
    }
  }
  if (entries.empty()) {
    throw FormatError(options.data_dir.string(), "",
                      fmt::format("no trials in the {} data_{}.hdf5 files", files.size(), name_of(options.split)));
  }
}

void Dataset::Impl::describe() {
  fingerprint = fmt::format("split {}\n", name_of(options.split));
  for (std::size_t f = 0; f < files.size() && f <= entries.back().file; ++f) {
    fingerprint += fmt::format("{}: {}\n", files[f].path.lexically_relative(options.data_dir).generic_string(),
                               state_of(files[f].path));
  }
  if (corpora) {
    fingerprint += fmt::format("{}: {}\n", options.csv_path.filename().generic_string(), state_of(options.csv_path));
  }
  std::vector<std::string> sorted = options.sessions;
  std::sort(sorted.begin(), sorted.end());
  fingerprint += fmt::format("sessions {}\n", sorted.empty() ? "all" : fmt::format("{}", fmt::join(sorted, ",")));
  fingerprint += fmt::format("max_trials {}\n", options.max_trials ? fmt::format("{}", *options.max_trials) : "all");
}

Hdf5Group Dataset::Impl::open(std::size_t index) {
  const std::size_t wanted = entry(index).file;
  if (!open_file || open_index != wanted) {
    open_file.reset();
    open_file = std::make_unique<Hdf5File>(files[wanted].path);
    open_index = wanted;
  }
  return open_file->group(entry(index).name);
}

std::int64_t Dataset::Impl::bins_of(const Hdf5Group& group, std::size_t index) const {
  const std::vector<std::int64_t> shape = group.shape(kFeatures);
  if (shape.size() != 2 || shape[1] != config.n_input_features || shape[0] > config_limits::kMostBins) {
    throw FormatError(file_of(index).path.string(), entry(index).name + "/" + kFeatures,
                      fmt::format("shape [{}]", fmt::join(shape, ", ")),
                      fmt::format("[T, {}] with T at most {}", config.n_input_features, config_limits::kMostBins));
  }
  return shape[0];
}

void Dataset::Impl::read_features(const Hdf5Group& group, Trial& trial, const std::string& path) const {
  const std::int64_t stated = group.integer_attribute("n_time_steps");
  if (stated != trial.bins) {
    throw FormatError(path, trial.name + "/n_time_steps", fmt::format("{}", stated),
                      fmt::format("{}, the rows of {}", trial.bins, kFeatures));
  }
  trial.features = group.floats(kFeatures, static_cast<std::size_t>(trial.bins * config.n_input_features));
  const auto bad = std::find_if(trial.features.begin(), trial.features.end(),
                                [](float x) { return !(std::abs(x) <= kLargestMagnitude); });  // nor is NaN
  if (bad != trial.features.end()) {
    const std::int64_t at = bad - trial.features.begin();
    throw FormatError(path,
                      fmt::format("{}/{}, bin {}, feature {}", trial.name, kFeatures, at / config.n_input_features,
                                  at % config.n_input_features),
                      fmt::format("{}", *bad), std::isfinite(*bad) ? "a magnitude of at most 1e30" : "a finite number");
  }
}

void Dataset::Impl::read_labels(const Hdf5Group& group, Trial& trial, const std::string& path) const {
  trial.sentence = group.string_attribute("sentence_label");
  const std::int64_t length = group.integer_attribute("seq_len");
  const std::vector<std::int64_t> shape = group.shape(kLabels);
  const std::vector<std::int64_t> ids = group.integers(kLabels, kMostLabels);
  if (shape.size() != 1) {
    throw FormatError(path, trial.name + "/" + kLabels, fmt::format("shape [{}]", fmt::join(shape, ", ")),
                      "one dimension");
  }
  if (length < 0 || length > static_cast<std::int64_t>(ids.size())) {
    throw FormatError(path, trial.name + "/seq_len", fmt::format("{}", length),
                      fmt::format("0 to {}, the length of {}", ids.size(), kLabels));
  }
  trial.phonemes.reserve(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int64_t id = ids[static_cast<std::size_t>(i)];
    if (id < 1 || id >= config.n_classes) {
      throw FormatError(path, fmt::format("{}/{}, label {}", trial.name, kLabels, i), fmt::format("{}", id),
                        fmt::format("1 to {}", config.n_classes - 1));
    }
    trial.phonemes.push_back(static_cast<int>(id));
  }
}

Dataset::Dataset(const DecoderConfig& config, const DatasetOptions& options, const RunContext& context)
    : impl_(std::make_unique<Impl>(config, options)) {
  impl_->check_options();
  if (options.split != Split::train) impl_->corpora.emplace(options.csv_path);
  impl_->warn_of_other_folders(context);
  impl_->find_files(context);
  impl_->list_trials(context);
  impl_->describe();
}

Dataset::~Dataset() = default;

std::size_t Dataset::size() const { return impl_->entries.size(); }

std::string Dataset::label(std::size_t index) const {
  return TrialId{impl_->file_of(index).session, impl_->entry(index).name}.label();
}

std::int64_t Dataset::session_index(std::size_t index) const { return impl_->file_of(index).session_index; }

std::int64_t Dataset::features_per_bin() const { return impl_->config.n_input_features; }

std::int64_t Dataset::bins(std::size_t index) {
  Impl::Entry& entry = impl_->entries.at(index);
  if (entry.bins < 0) entry.bins = impl_->bins_of(impl_->open(index), index);
  return entry.bins;
}

Trial Dataset::read(std::size_t index) {
  const Impl::SessionFile& file = impl_->file_of(index);
  const std::string path = file.path.string();
  const Hdf5Group group = impl_->open(index);
  Trial trial;
  trial.index = index;
  trial.session = file.session;
  trial.session_index = file.session_index;
  trial.name = impl_->entry(index).name;
  const std::string recorded = group.string_attribute("session");
  if (recorded != file.session) {
    throw FormatError(path, trial.name + "/session", fmt::format("'{}'", recorded),
                      fmt::format("'{}', its folder", file.session));
  }
  trial.block = group.integer_attribute("block_num");
  trial.trial_num = group.integer_attribute("trial_num");
  if (impl_->corpora) trial.corpus = impl_->corpora->of(file.session, trial.block, label(index));
  trial.bins = impl_->bins_of(group, index);
  impl_->read_features(group, trial, path);
  if (impl_->options.split != Split::test) impl_->read_labels(group, trial, path);
  return trial;
}

std::string Dataset::fingerprint() const { return impl_->fingerprint; }

}  // namespace brainquant
