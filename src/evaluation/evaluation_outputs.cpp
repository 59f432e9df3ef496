#include "evaluation/evaluation_outputs.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <map>

#include "brainquant/support/error.h"
#include "evaluation/machine.h"
#include "evaluation/results_files.h"
#include "evaluation/saved_logits.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

fs::path folder_of_model(const fs::path& model) {
  if (fs::is_directory(model)) return model;
  return model.has_parent_path() ? model.parent_path() : fs::path(".");
}

// A name that no other run has taken, even if one began in the same second.
fs::path timestamped_csv(const EvaluationOptions& options) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm local{};
  ::localtime_r(&now, &local);
  const std::string stem = fmt::format("quantized_rnn_{}_results_{:%Y%m%d_%H%M%S}", name_of(options.data.split), local);
  fs::path path = folder_of_model(options.model_path) / (stem + ".csv");
  std::error_code ignored;
  for (int i = 2; fs::exists(path, ignored); ++i) path.replace_filename(fmt::format("{}_{}.csv", stem, i));
  return path;
}

struct NamedPath {
  const char* flag;
  fs::path path;
};

std::vector<NamedPath> named_outputs(const EvaluationOptions& options) {
  return {{"--output_csv", options.output_csv},         {"--output_json", options.output_json},
          {"--output_trials", options.output_trials},   {"--output_nbest", options.output_nbest},
          {"--submission_csv", options.submission_csv}, {"--save_logits", options.save_logits}};
}

bool is_stream(const fs::path& path) { return output_kind(path) == OutputKind::stream; }

void check_can_be_written(const fs::path& path) {
  if (!path.empty()) const AtomicFile probe(path);
}

void write_output(Journal& journal, const fs::path& path, const std::string& text, EvaluationOutputs::Words words) {
  const bool to_stream = is_stream(path);
  if (words == EvaluationOutputs::Words::to_come && to_stream) return;
  if (!to_stream) journal.add_output(path);
  write_file_atomically(path, text);
}

}  // namespace

fs::path EvaluationOutputs::journal() const {
  if (!options_.output_csv.empty() && !is_stream(options_.output_csv)) {
    return options_.output_csv.string() + ".partial";
  }
  return folder_of_model(options_.model_path) /
         fmt::format("quantized_rnn_{}_results.partial", name_of(options_.data.split));
}

void EvaluationOutputs::refuse_shared_paths() const {
  std::map<fs::path, const char*> flags;
  std::error_code ignored;
  for (const auto& [flag, path] :
       {NamedPath{"--model_path", options_.model_path}, NamedPath{"--csv_path", options_.data.csv_path}}) {
    if (!path.empty()) flags.emplace(fs::weakly_canonical(path, ignored), flag);
  }
  for (const auto& [flag, path] : named_outputs(options_)) {
    if (path.empty() || is_stream(path)) continue;
    const auto [other, is_new] = flags.emplace(fs::weakly_canonical(path, ignored), flag);
    if (!is_new) throw FileError(path.string(), fmt::format("{} and {} name the same file", other->second, flag));
  }
}

void EvaluationOutputs::refuse_to_replace(const Journal::OutputNames& own) const {
  if (options_.force) return;
  for (const auto& [flag, path] : named_outputs(options_)) {
    if (path.empty() || own.contains(path.string())) continue;
    if (output_kind(path) == OutputKind::regular_file) {
      throw FileError(path.string(), "already exists; --force replaces it");
    }
  }
}

void EvaluationOutputs::prepare() {
  csv_ = options_.output_csv.empty() ? timestamped_csv(options_) : options_.output_csv;
  check_can_be_written(csv_);
  for (const auto& [flag, path] : named_outputs(options_)) check_can_be_written(path);
}

void EvaluationOutputs::write(Journal& journal, const std::vector<TrialResult>& trials, EvaluationSummary& summary,
                              Words words) const {
  const Split split = options_.data.split;
  const bool made = words == Words::made;
  write_output(journal, csv_, made ? sentences_csv(trials, split) : phonemes_csv(trials, split), words);
  if (!options_.output_trials.empty()) {
    write_output(journal, options_.output_trials, trials_csv(trials, split, made), words);
  }
  if (made && !options_.submission_csv.empty()) {
    write_output(journal, options_.submission_csv, submission_csv(trials), words);
  }
  if (made && !options_.output_nbest.empty()) {
    write_output(journal, options_.output_nbest, nbest_lines(trials), words);
  }
  summary.peak_memory_bytes = peak_memory_bytes();
  if (!options_.output_json.empty()) write_output(journal, options_.output_json, evaluation_json(summary), words);
}

void EvaluationOutputs::write_logits(Journal& journal, const RunContext& context) const {
  const fs::path& path = options_.save_logits;
  if (path.empty()) return;
  if (!is_stream(path)) journal.add_output(path);
  save_logits(journal, path, context);
}

}  // namespace brainquant
