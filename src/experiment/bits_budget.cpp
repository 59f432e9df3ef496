#include "brainquant/experiment/bits_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include "brainquant/runtime/engine.h"
#include "brainquant/support/error.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "brainquant/version.h"
#include "evaluation/decoding_key.h"
#include "experiment/bits_budget_json.h"
#include "experiment/method_run.h"
#include "experiment/trial_sample.h"
#include "model/checkpoint.h"
#include "model/trial_choice.h"
#include "quantization/calibration.h"
#include "quantization/matrix_group.h"
#include "quantization/quantize_checkpoint.h"
#include "quantization/quantize_key.h"
#include "quantization/quantized_file.h"
#include "support/atomic_file.h"
#include "support/cores.h"
#include "support/parallel_for.h"
#include "support/run_lock.h"
#include "torch/any_engine.h"

namespace brainquant {

namespace {

constexpr const char* kStage = "bits";

std::int64_t tensor_bytes(const QuantizedModel& model) {
  std::int64_t bytes = 0;
  for (const StoredTensor& tensor : stored_tensors(model)) bytes += tensor.bytes;
  return bytes;
}

QuantizationOptions all_matrices_in(const QuantizationOptions& given, int bits) {
  QuantizationOptions options = given;
  options.bits = {fmt::format("*={}", bits)};
  return options;
}

/// One search. What is in its record is not measured again; what is opened for measuring is opened when it is needed.
class Search {
 public:
  Search(const QuantizeJob& job, const BudgetOptions& budget, const LanguageModelOptions& words,
         const std::filesystem::path& record, bool anew, const RunContext& context)
      : job_(job),
        budget_(budget),
        words_(words),
        record_(record),
        context_(context),
        threads_(effective_threads(job.threads)),
        checkpoint_(load_checkpoint(job.model_path, context)),
        train_(checkpoint_.config, job.calibration_data(), context),
        groups_(matrix_groups(checkpoint_.config, job.options.day_layers)),
        with_words_(!words.skip_lm && words.takes_trials_at_once()),
        key_(make_key()),
        measured_(read_bits_record(record, key_, job.force, context)) {
    if (anew) measured_ = {};
  }

  BitsChoice run();

 private:
  RunKey make_key() const;
  std::vector<std::size_t> trials_of_the_budget() const;
  void keep() { write_bits_record(record_, key_, measured_, nullptr); }

  // What the first measurement needs.
  void open();
  void quantize();
  void measure_fp32();

  struct Decoded {
    std::vector<Logits> logits;  // per trial of the sample
    std::vector<TrialErrors> errors;
  };
  Decoded decode(Engine& engine, bool with_errors) const;
  QuantizedModel with_4_bits(const std::set<std::string>& groups) const;
  double noise_of(const std::vector<Logits>& logits) const;

  void measure_costs();
  std::vector<MatrixCost> ordered_costs() const;
  BudgetStep step(const std::vector<MatrixCost>& order, std::int64_t in_4_bits);
  bool fits(const BudgetStep& step) const;

  const QuantizeJob& job_;
  const BudgetOptions& budget_;
  const LanguageModelOptions& words_;
  const std::filesystem::path& record_;
  const RunContext& context_;
  const int threads_;
  const Checkpoint checkpoint_;
  Dataset train_;
  const std::vector<MatrixGroup> groups_;
  const bool with_words_;
  const RunKey key_;
  BitsMeasurements measured_;

  bool is_open_ = false;
  std::vector<SampledTrial> sample_;
  std::unique_ptr<LanguageModel> language_model_;  // none without words
  QuantizedModel in_8_bits_, in_4_bits_;           // every matrix
  Decoded fp32_;
};

RunKey Search::make_key() const {
  RunKey key = tool_key();
  key.add(model_key(checkpoint_.sha256, checkpoint_.args_sha256, all_matrices_in(job_.options, 4)));
  key.set("data_fingerprint", data_fingerprint(train_));
  key.set("budget_trials", std::to_string(budget_.budget_trials));
  key.add(words_key(with_words_ ? words_.fingerprint() : ""));
  return key;
}

std::vector<std::size_t> Search::trials_of_the_budget() const {
  const std::int64_t calibrating = all_matrices_in(job_.options, 4).calibration_trials();
  std::vector<std::size_t> taken;
  if (calibrating > 0) taken = choose_calibration_trials(train_, calibrating);
  std::vector<std::size_t> free;
  for (const std::size_t trial : all_trials(train_)) {
    if (std::find(taken.begin(), taken.end(), trial) == taken.end()) free.push_back(trial);
  }
  if (free.empty()) {
    throw UsageError(
        fmt::format("calibration uses all {} trials of the train files, and none is left for the budget: lower {}",
                    train_.size(), job_.options.is_static() ? "--calibration_samples" : "--gptq_samples"));
  }
  if (static_cast<std::int64_t>(free.size()) < budget_.budget_trials) {
    context_.log.info(
        fmt::format("budget: {} trials were asked for, the train files have {} besides those that "
                    "calibrate: all of these are used",
                    budget_.budget_trials, free.size()));
  }
  return spread_over_sessions(train_, free, budget_.budget_trials);
}

void Search::open() {
  if (is_open_) return;
  is_open_ = true;
  sample_ = read_trials(train_, trials_of_the_budget(), checkpoint_.config, context_);
  if (with_words_) language_model_ = make_language_model(words_);
  measured_.trials.clear();
  for (const SampledTrial& trial : sample_) measured_.trials.push_back(trial.label);
  measured_.language_model = language_model_ ? language_model_->description() : "";
  quantize();
  measure_fp32();
  keep();
}

void Search::quantize() {
  const auto quantized_in = [&](int bits) {
    QuantizeJob job = job_;
    job.options = all_matrices_in(job_.options, bits);
    return quantize_checkpoint(job, checkpoint_, libtorch_calibration(), context_);
  };
  in_4_bits_ = quantized_in(4);
  in_8_bits_ = quantized_in(8);
}

void Search::measure_fp32() {
  EngineOptions options;
  options.threads = job_.threads;
  const auto engine = make_engine(checkpoint_.config, checkpoint_.weights, options);
  fp32_ = decode(*engine, true);
  measured_.fp32_per = rate_of(sample_, fp32_.errors, kPhonemeErrors).rate();
  if (language_model_) measured_.fp32_wer = rate_of(sample_, fp32_.errors, kWordErrors).rate();
}

Search::Decoded Search::decode(Engine& engine, bool with_errors) const {
  Decoded decoded;
  decoded.logits = decode_sample(engine, sample_, context_);
  if (!with_errors) return decoded;
  decoded.errors.resize(sample_.size());
  parallel_for("budget", sample_.size(), language_model_ ? threads_ : 1, [&](std::size_t i) {
    context_.cancel.check();
    decoded.errors[i] = errors_of(sample_[i], view_of(decoded.logits[i]), language_model_.get(), context_);
  });
  return decoded;
}

QuantizedModel Search::with_4_bits(const std::set<std::string>& groups) const {
  QuantizedModel model = in_8_bits_;
  for (const std::string& group : groups) copy_group(group, in_4_bits_, model);
  return model;
}

double Search::noise_of(const std::vector<Logits>& logits) const {
  double noise = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    for (std::size_t j = 0; j < logits[i].values.size(); ++j) {
      const double lost = static_cast<double>(logits[i].values[j]) - static_cast<double>(fp32_.logits[i].values[j]);
      noise += lost * lost;
    }
  }
  return noise;
}

void Search::measure_costs() {
  EngineOptions options;
  options.threads = job_.threads;
  std::optional<double> noise_in_8_bits;
  for (const MatrixGroup& group : groups_) {
    context_.progress.update(kStage, static_cast<std::int64_t>(measured_.costs.size()),
                             static_cast<std::int64_t>(2 * groups_.size()));
    if (measured_.costs.contains(group.name)) continue;
    open();
    const auto noise_in = [&](const QuantizedModel& model) {
      return noise_of(decode(*make_engine(model, options), false).logits);
    };
    if (!noise_in_8_bits) noise_in_8_bits = noise_in(in_8_bits_);
    const QuantizedModel model = with_4_bits({group.name});
    MatrixCost& cost = measured_.costs[group.name];
    cost.matrix = group.name;
    cost.bytes_saved = tensor_bytes(in_8_bits_) - tensor_bytes(model);
    cost.noise = std::max(0.0, noise_in(model) - *noise_in_8_bits);
    keep();
  }
}

std::vector<MatrixCost> Search::ordered_costs() const {
  std::vector<MatrixCost> order;
  for (const MatrixGroup& group : groups_) order.push_back(measured_.costs.at(group.name));
  std::stable_sort(order.begin(), order.end(),
                   [](const MatrixCost& a, const MatrixCost& b) { return a.per_byte() < b.per_byte(); });
  return order;
}

BudgetStep Search::step(const std::vector<MatrixCost>& order, std::int64_t in_4_bits) {
  for (const BudgetStep& known : measured_.steps) {
    if (known.matrices_in_4_bits == in_4_bits) return known;
  }
  open();
  std::set<std::string> groups;
  for (std::int64_t i = 0; i < in_4_bits; ++i) groups.insert(order[static_cast<std::size_t>(i)].matrix);
  const QuantizedModel model = with_4_bits(groups);
  EngineOptions options;
  options.threads = job_.threads;
  const Decoded decoded = decode(*make_engine(model, options), true);
  BudgetStep result;
  result.matrices_in_4_bits = in_4_bits;
  result.bytes = tensor_bytes(model);
  result.per = rate_of(sample_, decoded.errors, kPhonemeErrors).rate();
  result.per_difference = difference_of(sample_, fp32_.errors, decoded.errors, kPhonemeErrors);
  if (language_model_) {
    result.wer = rate_of(sample_, decoded.errors, kWordErrors).rate();
    result.wer_difference = difference_of(sample_, fp32_.errors, decoded.errors, kWordErrors);
  }
  measured_.steps.push_back(result);
  keep();
  return result;
}

bool Search::fits(const BudgetStep& step) const {
  const auto within = [](const std::optional<double>& points, const std::optional<RateDifference>& difference) {
    return !points || (difference && difference->difference <= *points);
  };
  return within(budget_.max_per_increase, step.per_difference) && within(budget_.max_wer_increase, step.wer_difference);
}

BitsChoice Search::run() {
  measure_costs();
  BitsChoice choice;
  choice.costs = ordered_costs();
  const auto matrices = static_cast<std::int64_t>(choice.costs.size());
  for (std::int64_t in_4_bits = matrices; in_4_bits >= 0; --in_4_bits) {
    context_.progress.update(kStage, 2 * matrices - in_4_bits, 2 * matrices);
    choice.steps.push_back(step(choice.costs, in_4_bits));
    choice.steps.back().within_budget = fits(choice.steps.back());
    if (choice.steps.back().within_budget) break;
  }
  context_.progress.update(kStage, 2 * matrices, 2 * matrices);
  choice.budget = budget_;
  choice.tool_version = kVersion;
  choice.checkpoint_sha256 = checkpoint_.sha256;
  choice.language_model = measured_.language_model;
  choice.trials = measured_.trials;
  choice.fp32_per = *measured_.fp32_per;
  choice.fp32_wer = measured_.fp32_wer;
  choice.bits = {"*=8"};
  for (std::int64_t i = 0; i < choice.taken().matrices_in_4_bits; ++i) {
    choice.bits.push_back(choice.costs[static_cast<std::size_t>(i)].matrix + "=4");
  }
  write_bits_record(record_, key_, measured_, &choice);
  return choice;
}

void validate_points(const char* flag, const std::optional<double>& points) {
  if (points && !(*points >= 0 && *points <= 100)) {
    throw UsageError(fmt::format("{}: found {}, expected 0 to 100 points", flag, *points));
  }
}

}  // namespace

void BudgetOptions::validate(const QuantizationOptions& quantization, const LanguageModelOptions& words) const {
  validate_points("--max_per_increase", max_per_increase);
  validate_points("--max_wer_increase", max_wer_increase);
  if (budget_trials < 1) throw UsageError(fmt::format("--budget_trials: found {}, expected at least 1", budget_trials));
  if (!is_set()) return;
  const char* flag = max_wer_increase ? "--max_wer_increase" : "--max_per_increase";
  if (quantization.dtype != Dtype::mixed) throw UsageError(fmt::format("{} requires --dtype mixed", flag));
  if (!quantization.bits.empty()) {
    throw UsageError(fmt::format("{} chooses the bits: leave out --bits", flag));
  }
  if (max_wer_increase && (words.skip_lm || !words.takes_trials_at_once())) {
    throw UsageError("--max_wer_increase requires --lm wfst and --lm_dir");
  }
  if (words.tunes()) {
    throw UsageError(
        fmt::format("{} is kept with given language-model scales: --lm_scales instead of --tune_lm", flag));
  }
  words.validate();
}

OptionList list_options(BudgetOptions& options) {
  OptionList list;
  const auto is_set = [&options] { return options.is_set(); };
  list.add("max_per_increase", options.max_per_increase,
           "Mixed only: choose 4 or 8 bits for each matrix, the smallest file whose PER on train trials is at most so "
           "many points above fp32's");
  list.add("max_wer_increase", options.max_wer_increase, "The same for WER, with --lm wfst");
  list.add("budget_trials", options.budget_trials, "Train trials on which that is measured, none that calibrates")
      .that_applies_if(is_set);
  return list;
}

std::optional<std::int64_t> BitsChoice::trials_that_would_tell() const {
  double times = 0;  // so many times narrower
  const auto consider = [&](const std::optional<double>& points, const std::optional<RateDifference>& difference) {
    if (!points || *points <= 0 || !difference) return;
    times = std::max(times, (difference->high - difference->low) / (2 * *points));
  };
  consider(budget.max_per_increase, taken().per_difference);
  consider(budget.max_wer_increase, taken().wer_difference);
  if (times <= 1) return {};
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(trials.size()) * times * times));
}

std::filesystem::path bits_record_of(const QuantizeJob& job) {
  if (job.dry_run) throw UsageError("--dry_run measures nothing: a budget cannot be kept");
  if (output_kind(job.output_path) == OutputKind::stream) {
    throw UsageError(
        fmt::format("--output_path {} is no file: the search of a budget is kept beside it", job.output_path.string()));
  }
  return job.output_path.string() + ".budget.json";
}

BitsChoice choose_bits(const QuantizeJob& job, const BudgetOptions& budget, const LanguageModelOptions& words,
                       const std::filesystem::path& record, const RunContext& context) {
  budget.validate(job.options, words);
  const LanguageModelOptions with_scales = words.with_scales_read();
  const RunLock lock(record.string() + ".lock", record.string(), WhenLocked::wait, context);
  return Search(job, budget, with_scales, record, false, context).run();
}

BitsChoice choose_bits(const ExperimentOptions& options, const QuantizationOptions& quantization,
                       const BudgetOptions& budget, const RunContext& context) {
  options.validate();
  budget.validate(quantization, options.language_model);
  const LanguageModelOptions with_scales = options.language_model.with_scales_read();
  QuantizeJob job = quantize_job_of(options, quantization);
  job.force = options.force;
  const std::string name = "budget_" + quantization.variant_name();
  const RunLock lock = lock_results(options, name, "the search for bits", context);
  return Search(job, budget, with_scales, options.results_dir() / (name + ".json"), options.force, context).run();
}

}  // namespace brainquant
