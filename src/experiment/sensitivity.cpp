#include "brainquant/experiment/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "brainquant/support/error.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "brainquant/version.h"
#include "evaluation/decoding_key.h"
#include "evaluation/pipeline.h"
#include "experiment/method_run.h"
#include "experiment/sensitivity_json.h"
#include "experiment/trial_sample.h"
#include "model/checkpoint.h"
#include "model/trial_choice.h"
#include "quantization/dequantized_weights.h"
#include "quantization/matrix_group.h"
#include "quantization/quantize_checkpoint.h"
#include "quantization/quantize_key.h"
#include "scoring/phonemes.h"
#include "support/cores.h"
#include "support/parallel_for.h"
#include "support/run_lock.h"

namespace brainquant {

namespace {

constexpr EnumName<QuantizedPart> kParts[] = {
    {QuantizedPart::all, "all"}, {QuantizedPart::alone, "alone"}, {QuantizedPart::all_but, "all_but"}};

/// Each range is as long as all before it together.
constexpr std::int64_t kStepRanges[] = {0, 8, 16, 32, 64, 128};

/// What a decoder shows of one trial, kept.
class Trace : public ActivationViewer {
 public:
  explicit Trace(std::int64_t layers) : hidden(static_cast<std::size_t>(layers)) {}
  void see_hidden(std::int64_t layer, std::span<const float> states) override {
    std::vector<float>& own = hidden[static_cast<std::size_t>(layer)];
    own.insert(own.end(), states.begin(), states.end());
  }
  void see_logits(std::span<const float> values) override { logits.insert(logits.end(), values.begin(), values.end()); }

  std::vector<std::vector<float>> hidden;  // per layer [steps, n_units]
  std::vector<float> logits;               // [steps, n_classes]
};

/// The energies that a signal-to-noise ratio is made of.
struct Energies {
  double signal = 0;
  double noise = 0;

  void add(const float* reference, const float* other, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const double value = reference[i];
      const double lost = value - static_cast<double>(other[i]);
      signal += value * value;
      noise += lost * lost;
    }
  }
  void add(const Energies& more) {
    signal += more.signal;
    noise += more.noise;
  }
  std::optional<double> decibels() const {
    if (noise <= 0 || signal <= 0) return {};
    return 10 * std::log10(signal / noise);
  }
};

/// One trial of a case against fp32's.
struct TrialDifference {
  std::vector<Energies> layers;
  std::vector<Energies> step_ranges;  // of the logits
  std::int64_t agreeing = 0;          // steps
  TrialErrors errors;
};

std::size_t range_of_step(std::int64_t step) {
  const auto* const next = std::upper_bound(std::begin(kStepRanges), std::end(kStepRanges), step);
  return static_cast<std::size_t>(next - std::begin(kStepRanges)) - 1;
}

class Measurement {
 public:
  Measurement(const ExperimentOptions& options, const QuantizationOptions& common, const SensitivityOptions& what,
              const RunContext& context)
      : options_(options),
        common_(common),
        what_(what),
        context_(context),
        threads_(effective_threads(options.engine.threads)),
        checkpoint_(load_checkpoint(options.model_path, context)),
        groups_(matrix_groups(checkpoint_.config, common.day_layers)) {
    read_sample();
    open_language_model();
  }

  Sensitivity run();

 private:
  void read_sample();
  void open_language_model();
  QuantizationOptions quantization(int bits) const;
  RunKey key() const;
  std::vector<SensitivityCase> planned_cases() const;
  const DecoderWeights& quantized_weights(int bits);
  DecoderWeights weights_of(const SensitivityCase& one);
  std::vector<Trace> traces(const DecoderWeights& weights) const;
  TrialErrors errors(std::size_t trial, const std::vector<float>& logits) const;
  TrialDifference difference(std::size_t trial, const Trace& other) const;
  void measure(SensitivityCase& one);

  const ExperimentOptions& options_;
  const QuantizationOptions& common_;
  const SensitivityOptions& what_;
  const RunContext& context_;
  const int threads_;
  const Checkpoint checkpoint_;
  const std::vector<MatrixGroup> groups_;
  std::string data_fingerprint_;
  std::vector<SampledTrial> sample_;
  std::unique_ptr<LanguageModel> language_model_;  // none without words
  std::map<int, DecoderWeights> quantized_;        // by bits: all matrices, quantized and back
  std::vector<Trace> reference_;
  std::vector<TrialErrors> reference_errors_;
};

void Measurement::read_sample() {
  Dataset dataset(checkpoint_.config, options_.data, context_);
  data_fingerprint_ = data_fingerprint(dataset);
  const std::vector<std::size_t> chosen = spread_over_sessions(dataset, all_trials(dataset), what_.sensitivity_trials);
  if (static_cast<std::int64_t>(chosen.size()) < what_.sensitivity_trials) {
    context_.log.info(fmt::format("sensitivity: {} trials were asked for, there are {}: all are used",
                                  what_.sensitivity_trials, chosen.size()));
  }
  sample_ = read_trials(dataset, chosen, checkpoint_.config, context_);
}

void Measurement::open_language_model() {
  const LanguageModelOptions& words = options_.language_model;
  if (words.skip_lm) return;
  if (words.takes_trials_at_once()) {
    language_model_ = make_language_model(words);
  } else {
    context_.log.info(fmt::format("sensitivity: words are only made by --lm wfst, not by {}", words.chosen_lm()));
  }
}

// Dynamic: only weights are quantized here, without calibration unless GPTQ asks for it. Rules that give every matrix
// the same width leave none out, `out` neither.
QuantizationOptions Measurement::quantization(int bits) const {
  QuantizationOptions options;
  options.dtype = Dtype::mixed;
  options.bits = {fmt::format("*={}", bits)};
  options.day_layers = common_.day_layers;
  options.weight_rounding = common_.weight_rounding;
  options.gptq_samples = common_.gptq_samples;
  return options;
}

RunKey Measurement::key() const {
  RunKey key = tool_key();
  key.add(model_key(checkpoint_.sha256, checkpoint_.args_sha256, quantization(4)));
  key.set("data_fingerprint", data_fingerprint_);
  key.set("sensitivity_trials", std::to_string(what_.sensitivity_trials));
  key.add(words_key(language_model_ ? options_.language_model.fingerprint() : ""));
  return key;
}

std::vector<SensitivityCase> Measurement::planned_cases() const {
  std::int64_t parameters = 0;
  for (const MatrixGroup& group : groups_) parameters += group.parameters;
  std::vector<SensitivityCase> cases;
  for (const std::string& text : what_.sensitivity) {
    SensitivityCase one;
    one.bits = std::stoi(text);
    one.part = QuantizedPart::all;
    one.parameters = parameters;
    cases.push_back(one);
    for (const QuantizedPart part : {QuantizedPart::alone, QuantizedPart::all_but}) {
      for (const MatrixGroup& group : groups_) {
        one.part = part;
        one.matrix = group.name;
        one.parameters = part == QuantizedPart::alone ? group.parameters : parameters - group.parameters;
        cases.push_back(one);
      }
    }
  }
  return cases;
}

const DecoderWeights& Measurement::quantized_weights(int bits) {
  if (const auto found = quantized_.find(bits); found != quantized_.end()) return found->second;
  const QuantizeJob job = quantize_job_of(options_, quantization(bits));
  const QuantizedModel model = quantize_checkpoint(job, checkpoint_, libtorch_calibration(), context_);
  return quantized_[bits] = dequantized_weights(model);
}

DecoderWeights Measurement::weights_of(const SensitivityCase& one) {
  const DecoderWeights& quantized = quantized_weights(one.bits);
  DecoderWeights weights = checkpoint_.weights;
  for (const MatrixGroup& group : groups_) {
    const bool is_it = group.name == one.matrix;
    if (one.part == QuantizedPart::all || is_it == (one.part == QuantizedPart::alone)) {
      copy_group(group.name, quantized, weights);
    }
  }
  return weights;
}

// Each trial alone, on one thread: how many there are changes no bit.
std::vector<Trace> Measurement::traces(const DecoderWeights& weights) const {
  const auto decoder = libtorch_calibration().open(checkpoint_.config, weights);
  std::vector<Trace> traces(sample_.size(), Trace(checkpoint_.config.n_layers));
  parallel_for("sensitivity", sample_.size(), threads_, [&](std::size_t i) {
    context_.cancel.check();
    decoder->prepare_thread();
    const SampledTrial& trial = sample_[i];
    decoder->observe(trial.features.data(), trial.bins, trial.session_index, traces[i]);
    require_finite_logits(trial.label, traces[i].logits);
  });
  return traces;
}

TrialErrors Measurement::errors(std::size_t trial, const std::vector<float>& logits) const {
  const LogitsView view{logits.data(), sample_[trial].steps, checkpoint_.config.n_classes};
  return errors_of(sample_[trial], view, language_model_.get(), context_);
}

TrialDifference Measurement::difference(std::size_t trial, const Trace& other) const {
  const Trace& reference = reference_[trial];
  TrialDifference result;
  for (std::size_t k = 0; k < reference.hidden.size(); ++k) {
    result.layers.emplace_back().add(reference.hidden[k].data(), other.hidden[k].data(), reference.hidden[k].size());
  }
  result.step_ranges.resize(std::size(kStepRanges));
  const std::int64_t classes = checkpoint_.config.n_classes;
  for (std::int64_t step = 0; step < sample_[trial].steps; ++step) {
    result.step_ranges[range_of_step(step)].add(reference.logits.data() + step * classes,
                                                other.logits.data() + step * classes,
                                                static_cast<std::size_t>(classes));
  }
  const std::vector<int> best = argmax_classes({reference.logits.data(), sample_[trial].steps, classes});
  const std::vector<int> others_best = argmax_classes({other.logits.data(), sample_[trial].steps, classes});
  for (std::size_t i = 0; i < best.size(); ++i) result.agreeing += best[i] == others_best[i];
  result.errors = errors(trial, other.logits);
  return result;
}

void Measurement::measure(SensitivityCase& one) {
  const std::vector<Trace> own = traces(weights_of(one));
  std::vector<TrialDifference> trials(sample_.size());
  parallel_for("sensitivity", sample_.size(), threads_, [&](std::size_t i) {
    context_.cancel.check();
    trials[i] = difference(i, own[i]);
  });
  std::vector<Energies> layers(trials.front().layers.size());
  std::vector<Energies> step_ranges(std::size(kStepRanges));
  Energies logits;
  std::int64_t agreeing = 0, steps = 0;
  std::vector<TrialErrors> errors;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    for (std::size_t k = 0; k < layers.size(); ++k) layers[k].add(trials[i].layers[k]);
    for (std::size_t r = 0; r < step_ranges.size(); ++r) {
      step_ranges[r].add(trials[i].step_ranges[r]);
      logits.add(trials[i].step_ranges[r]);
    }
    agreeing += trials[i].agreeing;
    steps += sample_[i].steps;
    errors.push_back(trials[i].errors);
  }
  one.sqnr_db = logits.decibels();
  one.agreement_percent = 100.0 * static_cast<double>(agreeing) / static_cast<double>(steps);
  for (const Energies& layer : layers) one.layer_sqnr_db.push_back(layer.decibels());
  for (const Energies& range : step_ranges) one.step_sqnr_db.push_back(range.decibels());
  if (options_.data.split == Split::test) return;
  one.per = rate_of(sample_, errors, kPhonemeErrors).rate();
  one.per_difference = difference_of(sample_, reference_errors_, errors, kPhonemeErrors);
  if (!language_model_) return;
  one.wer = rate_of(sample_, errors, kWordErrors).rate();
  one.wer_difference = difference_of(sample_, reference_errors_, errors, kWordErrors);
}

Sensitivity Measurement::run() {
  Sensitivity result;
  result.tool_version = kVersion;
  result.model_path = options_.model_path.string();
  result.checkpoint_sha256 = checkpoint_.sha256;
  result.eval_type = name_of(options_.data.split);
  result.weight_rounding = name_of(quantization(4).effective_weight_rounding());
  if (language_model_) result.language_model = language_model_->description();
  for (const SampledTrial& trial : sample_) {
    result.trials.push_back(trial.label);
    result.steps += trial.steps;
  }
  result.step_ranges.assign(std::begin(kStepRanges), std::end(kStepRanges));

  SensitivityState state(options_.results_dir() / "state" / "sensitivity.json", key(), options_.force);
  const std::vector<SensitivityCase> planned = planned_cases();
  const auto total = static_cast<std::int64_t>(planned.size());
  context_.progress.update("sensitivity", 0, total);
  reference_ = traces(checkpoint_.weights);
  reference_errors_.resize(sample_.size());
  parallel_for("sensitivity", sample_.size(), threads_,
               [&](std::size_t i) { reference_errors_[i] = errors(i, reference_[i].logits); });
  if (options_.data.split != Split::test) {
    result.fp32_per = rate_of(sample_, reference_errors_, kPhonemeErrors).rate();
    if (language_model_) result.fp32_wer = rate_of(sample_, reference_errors_, kWordErrors).rate();
  }
  for (const SensitivityCase& one : planned) {
    if (const SensitivityCase* finished = state.find(one)) {
      result.cases.push_back(*finished);
    } else {
      measure(result.cases.emplace_back(one));
      state.add(result.cases.back());
    }
    context_.progress.update("sensitivity", static_cast<std::int64_t>(result.cases.size()), total);
  }
  return result;
}

}  // namespace

template <>
std::span<const EnumName<QuantizedPart>> enum_names() {
  return kParts;
}

std::string name_of(QuantizedPart part) { return enum_name(part); }

void SensitivityOptions::validate() const {
  for (const std::string& text : sensitivity) {
    if (text != "8" && text != "4") {
      throw UsageError(fmt::format("--sensitivity: found '{}', expected 8, 4 or both, comma-separated", text));
    }
  }
  if (sensitivity_trials < 1) {
    throw UsageError(fmt::format("--sensitivity_trials: found {}, expected at least 1", sensitivity_trials));
  }
}

OptionList list_options(SensitivityOptions& options) {
  OptionList list;
  list.add("sensitivity", options.sensitivity,
           "Also measure what each weight matrix costs by itself, at these bits (by default 8,4)")
      .alone_means("8,4");
  list.add("sensitivity_trials", options.sensitivity_trials, "Trials for --sensitivity, spread over the sessions")
      .that_applies_if([&options] { return !options.sensitivity.empty(); });
  return list;
}

Sensitivity measure_sensitivity(const ExperimentOptions& given, const QuantizationOptions& common,
                                const SensitivityOptions& what, const std::function<void(const Sensitivity&)>& publish,
                                const RunContext& context) {
  what.validate();
  given.validate();
  if (given.language_model.tunes()) {
    throw UsageError("sensitivity is measured with given language-model scales: --lm_scales instead of --tune_lm");
  }
  ExperimentOptions options = given;
  options.language_model = given.language_model.with_scales_read();
  const RunLock lock = lock_sensitivity(options, context);
  const Sensitivity result = Measurement(options, common, what, context).run();
  publish(result);
  return result;
}

}  // namespace brainquant
