#include "brainquant/evaluation/evaluator.h"

#include <fmt/format.h>

#include "brainquant/git_commit.h"
#include "brainquant/version.h"
#include "evaluation/decoding_key.h"
#include "evaluation/decoding_stage.h"
#include "evaluation/evaluation_outputs.h"
#include "evaluation/journal.h"
#include "evaluation/live_words.h"
#include "evaluation/lm_tuning.h"
#include "evaluation/machine.h"
#include "evaluation/sentence_stage.h"
#include "evaluation/summary_scores.h"
#include "quantization/quantize_key.h"
#include "support/seconds_since.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

/// One evaluation under way.
class Evaluation {
 public:
  Evaluation(const EvaluationOptions& options, const RunContext& context, const WordsListener& on_words)
      : given_(options), options_(options), context_(context), on_words_(on_words), outputs_(options) {}

  EvaluationOutcome run();

 private:
  using Words = EvaluationOutputs::Words;

  EvaluationOutcome run_to_the_end();
  void open_inputs();
  void open_journal();
  void tune();
  RunKey decoding_key_of_this_run() const;
  std::unique_ptr<LiveWords> live_words() const;
  void describe();
  void decode();
  void add_sentences();
  std::vector<TrialResult> results() const;
  Candidates candidates() const { return options_.output_nbest.empty() ? Candidates::forget : Candidates::keep; }

  const EvaluationOptions& given_;
  EvaluationOptions options_;  // with the language model's scales once they are known
  const RunContext& context_;
  const WordsListener& on_words_;
  EvaluationOutputs outputs_;
  std::unique_ptr<LanguageModel> language_model_;
  EvaluatedModel model_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<Dataset> train_;  // for tuning
  std::unique_ptr<Journal> journal_;
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

void Evaluation::open_inputs() {
  const SteadyClock::time_point start = SteadyClock::now();
  model_ = open_model(options_.model_path, options_.engine, context_);
  warm_up(*model_.engine);
  summary_.timing.load_seconds = seconds_since(start);
  dataset_ = std::make_unique<Dataset>(model_.config, options_.data, context_);
  if (options_.language_model.tunes()) {
    train_ = std::make_unique<Dataset>(model_.config, options_.data.train_split(), context_);
  }
}

void Evaluation::open_journal() {
  const bool keep_logits = language_model_ != nullptr || !options_.save_logits.empty();
  journal_ =
      std::make_unique<Journal>(outputs_.journal(), decoding_key_of_this_run(), keep_logits, dataset_->size(),
                                model_.config.n_classes, options_.no_wait ? WhenLocked::refuse : WhenLocked::wait,
                                context_, [this](const Journal::OutputNames& own) { outputs_.refuse_to_replace(own); });
}

void Evaluation::describe() {
  summary_.tool_version = kVersion;
  summary_.git_commit = git_commit();
  EvaluationOptions options = given_;
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
  if (train_) summary_.run_key.set(kTuningDataField, data_fingerprint(*train_));
  summary_.for_testing = options_.data.leaves_trials_out();
  if (summary_.for_testing) context_.log.warning("for testing only: --sessions or --max_trials leave trials out");
}

// Scales that are found here are given ones from then on: the journal's sentences are known by them.
void Evaluation::tune() {
  const auto* embedded = dynamic_cast<const WfstLanguageModel*>(language_model_.get());
  if (embedded == nullptr) return;
  const auto scales_of = [](const WfstOptions& wfst) {
    const auto shortest = [](float value) { return std::stod(fmt::format("{}", value)); };
    return LmScales{shortest(wfst.acoustic_scale), shortest(wfst.blank_penalty)};
  };
  if (train_) {
    context_.log.info(
        fmt::format("tuning the language model on {} trials of the train split", *options_.language_model.tune_lm));
    const TuningSettings settings{*options_.language_model.tune_lm, options_.batch_size, summary_.threads};
    summary_.lm_tuning = tune_language_model(*embedded, *model_.engine, *train_, settings, context_);
    const LmScales best = best_scales(*summary_.lm_tuning, scales_of(embedded->options()));
    options_.language_model = options_.language_model.with(best);
    language_model_ = std::make_unique<WfstLanguageModel>(*embedded, options_.language_model.wfst_options());
    summary_.lm_scales = best;
    train_.reset();
  } else {
    summary_.lm_scales = scales_of(embedded->options());
  }
}

// None unless words can be had while a trial lasts and somebody wants them.
std::unique_ptr<LiveWords> Evaluation::live_words() const {
  const auto* embedded = dynamic_cast<const WfstLanguageModel*>(language_model_.get());
  if (!options_.streaming || embedded == nullptr || !on_words_) return nullptr;
  return std::make_unique<LiveWords>(*embedded, candidates(), model_.config.n_classes, on_words_);
}

void Evaluation::decode() {
  const std::unique_ptr<LiveWords> words = live_words();
  decode_trials(options_, model_, *dataset_, *journal_, words.get(), summary_, context_);
  measure_single_steps(options_, model_, *dataset_, summary_, context_);
}

std::vector<TrialResult> Evaluation::results() const {
  std::vector<TrialResult> trials;
  for (const auto& [index, trial] : journal_->trials()) trials.push_back(trial);
  return trials;
}

void Evaluation::add_sentences() {
  const int threads = options_.language_model.takes_trials_at_once() ? summary_.threads : 1;
  make_sentences(*language_model_, options_.language_model.fingerprint(), candidates(), threads, *journal_, context_);
  summary_.language_model = language_model_->description();
  score_sentences(results(), options_.data.split, summary_);
}

EvaluationOutcome Evaluation::run_to_the_end() {
  options_.validate();
  options_.language_model.name_unused(context_);
  options_.language_model = options_.language_model.with_scales_read();
  outputs_.refuse_shared_paths();
  std::error_code ignored;
  if (!fs::exists(outputs_.journal(), ignored)) outputs_.refuse_to_replace();  // before anything takes time
  if (!options_.language_model.skip_lm) language_model_ = make_language_model(options_.language_model);
  if (language_model_) language_model_->await_ready(context_);
  open_inputs();
  outputs_.prepare();
  describe();
  open_journal();
  tune();
  decode();
  score_trials(results(), options_.data.split, summary_);
  outputs_.write_logits(*journal_, context_);
  outputs_.write(*journal_, results(), summary_, language_model_ ? Words::to_come : Words::none);
  if (language_model_) {
    try {
      add_sentences();
    } catch (const std::exception&) {
      outputs_.write(*journal_, results(), summary_, Words::none);
      context_.log.warning(fmt::format("no sentences; the phoneme results are in {}, and the next run resumes from {}",
                                       outputs_.csv().string(), outputs_.journal().string()));
      throw;
    }
    score_trials(results(), options_.data.split, summary_);
    outputs_.write(*journal_, results(), summary_, Words::made);
  }
  journal_->remove();
  return {std::move(summary_), outputs_.csv()};
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
