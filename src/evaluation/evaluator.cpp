#include "brainquant/evaluation/evaluator.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "brainquant/decoding/phonemes.h"
#include "brainquant/evaluation/decoding_key.h"
#include "brainquant/evaluation/journal.h"
#include "brainquant/evaluation/pipeline.h"
#include "brainquant/evaluation/results_files.h"
#include "brainquant/git_commit.h"
#include "brainquant/quantization/quantize_key.h"
#include "brainquant/support/atomic_file.h"
#include "brainquant/support/error.h"
#include "brainquant/version.h"
#include "evaluation/live_words.h"
#include "evaluation/saved_logits.h"
#include "evaluation/sentence_stage.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kExamples = 3;  // of sentences that went wrong

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

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

bool is_stream(const fs::path& path) { return output_kind(path) == OutputKind::stream; }

fs::path journal_path(const EvaluationOptions& options) {
  if (!options.output_csv.empty() && !is_stream(options.output_csv)) return options.output_csv.string() + ".partial";
  return folder_of_model(options.model_path) /
         fmt::format("quantized_rnn_{}_results.partial", name_of(options.data.split));
}

// Fails now rather than after an hour's work.
void check_can_be_written(const fs::path& path) {
  if (!path.empty()) const AtomicFile probe(path);
}

TrialResult result_of(DecodedTrial& decoded) {
  TrialResult result;
  Trial& trial = decoded.trial;
  result.index = trial.index;
  result.session = std::move(trial.session);
  result.name = std::move(trial.name);
  result.block = trial.block;
  result.trial = trial.trial;
  result.corpus = std::move(trial.corpus);
  result.bins = trial.bins;
  result.steps = decoded.logits.steps;
  const std::vector<int> classes =
      argmax_classes({decoded.logits.values.data(), decoded.logits.steps, decoded.logits.classes});
  result.phonemes = collapse_published(classes);
  result.phonemes_ctc = collapse_ctc(classes);
  result.true_phonemes = std::move(trial.phonemes);
  result.true_sentence = std::move(trial.sentence);
  result.model_seconds = decoded.model_seconds;
  return result;
}

/// One evaluation under way.
class Evaluation {
 public:
  Evaluation(const EvaluationOptions& options, const RunContext& context, const WordsListener& on_words)
      : options_(options), context_(context), on_words_(on_words) {}

  EvaluationOutcome run();

 private:
  EvaluationOutcome run_to_the_end();
  void refuse_to_replace(const Journal::OutputNames& own) const;
  void open_journal();
  RunKey decoding_key_of_this_run() const;
  std::unique_ptr<LiveWords> live_words() const;
  void describe();
  void decode_trials();
  void describe_times();
  void measure_single_steps();
  void score();
  void add_sentences();
  enum class Words { none, to_come, made };
  void write(Words words);
  void write_output(const fs::path& path, const std::string& text, Words words) const;
  std::vector<TrialResult> results() const;

  const EvaluationOptions& options_;
  const RunContext& context_;
  const WordsListener& on_words_;
  fs::path csv_;
  std::unique_ptr<LanguageModel> language_model_;
  EvaluatedModel model_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<Journal> journal_;
  std::vector<double> trial_seconds_;  // in the engine, of the trials that this run decoded
  double cpu_seconds_ = 0;
  EvaluationSummary summary_;
};

// Everything that decides the logits, the trials or the times.
RunKey Evaluation::decoding_key_of_this_run() const {
  DecodingSettings settings;
  settings.data = options_.data;
  settings.engine = model_.engine_options;
  settings.resolved = {model_.engine->name(), model_.engine->instructions()};
  settings.batch_size = options_.batch_size;
  settings.streaming = options_.streaming;
  settings.step_latency = options_.step_latency;
  settings.data_fingerprint = summary_.data_fingerprint;
  RunKey key = tool_key();
  key.add(model_key(model_.facts.source_sha256, model_.facts.args_sha256, model_.facts.quantization));
  key.set(kModelField, model_.facts.sha256);
  key.add(decoding_key(settings));
  return key;
}

// Files that this run would replace are somebody's results, unless an earlier part of this very run wrote them.
void Evaluation::refuse_to_replace(const Journal::OutputNames& own) const {
  if (options_.force) return;
  for (const fs::path& path :
       {options_.output_csv, options_.output_json, options_.submission_csv, options_.save_logits}) {
    if (path.empty() || own.contains(path.string())) continue;
    if (output_kind(path) == OutputKind::regular_file) {
      throw FileError(path.string(), "is there already; --force replaces it");
    }
  }
}

void Evaluation::open_journal() {
  const bool keep_logits = language_model_ != nullptr || !options_.save_logits.empty();
  journal_ = std::make_unique<Journal>(journal_path(options_), decoding_key_of_this_run(), keep_logits,
                                       dataset_->size(), model_.config.n_classes,
                                       options_.no_wait ? WhenLocked::refuse : WhenLocked::wait, context_,
                                       [this](const Journal::OutputNames& own) { refuse_to_replace(own); });
}

void Evaluation::describe() {
  summary_.tool_version = kVersion;
  summary_.git_commit = git_commit();
  EvaluationOptions options = options_;
  summary_.options = list_options(options).values();
  summary_.model = model_.facts;
  summary_.engine = model_.engine->name();
  summary_.instructions = model_.engine->instructions();
  summary_.threads = options_.engine.effective_threads();
  summary_.batch_size = options_.streaming ? 1 : options_.batch_size;
  summary_.streaming = options_.streaming;
  summary_.machine = machine_facts();
  summary_.eval_type = name_of(options_.data.split);
  summary_.data_fingerprint = data_fingerprint(*dataset_);
  summary_.run_key = decoding_key_of_this_run();
  summary_.run_key.add(words_key(options_.language_model.fingerprint()));
  summary_.for_testing = options_.data.leaves_trials_out();
  if (summary_.for_testing) context_.log.warning("for testing only: --sessions or --max_trials leave trials out");
}

// None unless words can be had while a trial lasts and somebody wants them.
std::unique_ptr<LiveWords> Evaluation::live_words() const {
  const auto* embedded = dynamic_cast<const WfstLanguageModel*>(language_model_.get());
  if (!options_.streaming || embedded == nullptr || !on_words_) return nullptr;
  return std::make_unique<LiveWords>(*embedded, model_.config.n_classes, on_words_);
}

void Evaluation::decode_trials() {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < dataset_->size(); ++i) {
    if (!journal_->trials().contains(i)) order.push_back(i);
  }
  summary_.resumed = static_cast<std::int64_t>(journal_->trials().size());
  const auto total = static_cast<std::int64_t>(dataset_->size());
  context_.progress.update("trials", summary_.resumed, total);
  StepTimes times;
  const std::unique_ptr<LiveWords> words = live_words();
  PipelineOptions pipeline;
  pipeline.batch_size = options_.batch_size;
  pipeline.streaming = options_.streaming;
  pipeline.watcher = words.get();
  const Clock::time_point start = Clock::now();
  run_pipeline(
      *dataset_, order, *model_.engine, pipeline,
      [&](std::vector<DecodedTrial> batch) {
        std::vector<TrialResult> results;
        std::vector<Logits> logits;
        for (DecodedTrial& decoded : batch) {
          results.push_back(result_of(decoded));
          logits.push_back(std::move(decoded.logits));
          summary_.timing.trials += 1;
          summary_.timing.signal_seconds += kSecondsPerBin * static_cast<double>(results.back().bins);
          summary_.timing.model_seconds += results.back().model_seconds;
          cpu_seconds_ += decoded.cpu_seconds;
          if (results.back().steps > 0) trial_seconds_.push_back(results.back().model_seconds);
        }
        journal_->add(results, logits);
        context_.progress.update("trials", static_cast<std::int64_t>(journal_->trials().size()), total);
      },
      times, context_);
  summary_.timing.wall_seconds = seconds_since(start);
  describe_times();
  if (words != nullptr) {  // the sentence stage has only to make the others, of an earlier run's trials
    for (const auto& [index, sentence] : words->sentences()) {
      journal_->add_sentence(index, options_.language_model.fingerprint(), sentence.text, sentence.seconds);
    }
  }
  if (options_.streaming && !times.work.empty()) {
    summary_.step =
        StepReport{summarize_seconds(times.work), summarize_seconds(times.last_bin), step_budget_ms(model_.config)};
  }
}

void Evaluation::describe_times() {
  TimingReport& timing = summary_.timing;
  timing.model_ms_p10 = 1e3 * quantile(trial_seconds_, 0.1);
  timing.model_ms_p50 = 1e3 * quantile(trial_seconds_, 0.5);
  timing.model_ms_p90 = 1e3 * quantile(trial_seconds_, 0.9);
  if (timing.model_seconds <= 0 || model_.engine_options.gpu_number >= 0) return;
  timing.core_share = cpu_seconds_ / timing.model_seconds;
  if (timing.core_share < kLeastCoreShare) {
    context_.log.warning(fmt::format(
        "the machine was busy: the decoder had a core for only {:.0f} % of its time, so its times are too long",
        100 * timing.core_share));
  }
}

void Evaluation::measure_single_steps() {
  if (options_.step_latency == 0 || options_.streaming) return;
  const StepTimes times = measure_steps(*dataset_, *model_.engine, options_.step_latency, context_);
  if (times.work.empty()) {
    context_.log.warning("no trial has two steps: the time of a step was not measured");
    return;
  }
  summary_.step =
      StepReport{summarize_seconds(times.work), summarize_seconds(times.last_bin), step_budget_ms(model_.config)};
}

std::vector<TrialResult> Evaluation::results() const {
  std::vector<TrialResult> trials;
  for (const auto& [index, trial] : journal_->trials()) trials.push_back(trial);
  return trials;
}

void Evaluation::score() {
  const std::vector<TrialResult> trials = results();
  const bool labelled = options_.data.split != Split::test;
  summary_.trials.clear();
  summary_.too_short = 0;
  for (const TrialResult& trial : trials) {
    TrialScore score;
    score.label = trial.session + "/" + trial.name;
    score.corpus = trial.corpus;
    score.bins = trial.bins;
    score.steps = trial.steps;
    if (trial.steps == 0) ++summary_.too_short;
    if (labelled) {
      score.true_length = static_cast<std::int64_t>(trial.true_phonemes.size());
      score.distance = trial.phoneme_edits().distance();
      score.distance_ctc = trial.phoneme_edits_ctc().distance();
      score.true_words = trial.true_words();
      if (trial.sentence) score.word_distance = trial.word_edits().distance();
    }
    summary_.trials.push_back(std::move(score));
  }
  if (labelled) {
    summary_.per = phoneme_error_rate(trials);
    summary_.per_ctc = phoneme_error_rate_ctc(trials);
  }
}

void Evaluation::add_sentences() {
  const int threads = options_.language_model.takes_trials_at_once() ? summary_.threads : 1;
  make_sentences(*language_model_, options_.language_model.fingerprint(), threads, *journal_, context_);
  const std::vector<TrialResult> trials = results();
  summary_.language_model = language_model_->description();
  summary_.language_model_seconds = 0;
  for (const TrialResult& trial : trials) summary_.language_model_seconds += trial.language_model_seconds;
  if (options_.data.split == Split::test) return;
  summary_.wer = word_error_rate(trials);
  summary_.worst_sentences = worst_sentences(trials, kExamples);
}

// A stream gets one document: the last.
void Evaluation::write_output(const fs::path& path, const std::string& text, Words words) const {
  const bool to_stream = is_stream(path);
  if (words == Words::to_come && to_stream) return;
  if (!to_stream) journal_->add_output(path);
  write_file_atomically(path, text);
}

void Evaluation::write(Words words) {
  const std::vector<TrialResult> trials = results();
  const Split split = options_.data.split;
  const bool made = words == Words::made;
  write_output(csv_, made ? sentences_csv(trials, split) : phonemes_csv(trials, split), words);
  if (made && !options_.submission_csv.empty()) {
    write_output(options_.submission_csv, submission_csv(trials), words);
  }
  summary_.peak_memory_bytes = peak_memory_bytes();
  if (!options_.output_json.empty()) write_output(options_.output_json, evaluation_json(summary_), words);
}

EvaluationOutcome Evaluation::run_to_the_end() {
  options_.validate();
  options_.language_model.name_unused(context_);
  std::error_code ignored;
  if (!fs::exists(journal_path(options_), ignored)) refuse_to_replace({});  // before anything takes time
  if (!options_.language_model.skip_lm) language_model_ = make_language_model(options_.language_model);
  if (language_model_) language_model_->await_ready(context_);
  const Clock::time_point start = Clock::now();
  model_ = open_model(options_.model_path, options_.engine, context_);
  warm_up(*model_.engine);
  summary_.timing.load_seconds = seconds_since(start);
  dataset_ = std::make_unique<Dataset>(model_.config, options_.data, context_);
  csv_ = options_.output_csv.empty() ? timestamped_csv(options_) : options_.output_csv;
  for (const fs::path& path : {csv_, options_.output_json, options_.submission_csv, options_.save_logits}) {
    check_can_be_written(path);
  }
  describe();
  open_journal();
  decode_trials();
  measure_single_steps();
  score();
  if (!options_.save_logits.empty()) {
    if (!is_stream(options_.save_logits)) journal_->add_output(options_.save_logits);
    save_logits(*journal_, options_.save_logits, context_);
  }
  write(language_model_ ? Words::to_come : Words::none);
  if (language_model_) {
    try {
      add_sentences();
    } catch (const std::exception&) {
      write(Words::none);
      context_.log.warning(fmt::format("no sentences; the phoneme results are in {}, and the next run goes on from {}",
                                       csv_.string(), journal_path(options_).string()));
      throw;
    }
    score();
    write(Words::made);
  }
  journal_->remove();
  return {std::move(summary_), csv_};
}

EvaluationOutcome Evaluation::run() {
  try {
    return run_to_the_end();
  } catch (...) {
    if (journal_ && journal_->trials().empty()) journal_->remove();  // nothing to go on from
    throw;
  }
}

}  // namespace

EvaluationOutcome evaluate(const EvaluationOptions& options, const RunContext& context, const WordsListener& on_words) {
  return Evaluation(options, context, on_words).run();
}

}  // namespace brainquant
