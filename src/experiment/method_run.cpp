#include "experiment/method_run.h"

#include <fmt/format.h>

#include "brainquant/support/error.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "evaluation/decoding_key.h"
#include "experiment/finished_work.h"
#include "model/checkpoint.h"
#include "model/dataset.h"
#include "quantization/quantize_key.h"
#include "support/atomic_file.h"
#include "support/sha256.h"
#include "torch/any_engine.h"
#include "torch/gpu.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCalibrationDataField = "calibration_data_fingerprint";

std::string fingerprint_of(const DecoderConfig& config, const DatasetOptions& data, const RunContext& context) {
  // The evaluation itself says what it skips or ignores.
  RunContext silent;
  return data_fingerprint(Dataset(config, data, RunContext(silent.log, silent.progress, context.cancel)));
}

/// Quantizing and evaluating, or an evaluation more of what was quantized.
enum class Pass { whole, own_scales };

/// Where one method's files lie.
struct Places {
  Places(const ExperimentOptions& options, const Method& method, Pass pass)
      : output_dir(options.effective_output_dir()),
        stem(results_stem(options, method) + (pass == Pass::own_scales ? "-own_scales" : "")),
        model_file(method.quantization
                       ? output_dir / ("quantized_" + method.name()) / "checkpoint" / "quantized_model.pt"
                       : options.model_path),
        json(options.results_dir() / (stem + ".json")),
        csv(options.results_dir() / (stem + ".csv")),
        logits(options.results_dir() / "logits" / (stem + ".h5")),
        log(options.results_dir() / "logs" / (stem + ".log")),
        record(options.results_dir() / "state" / (stem + ".json")),
        model_record(options.results_dir() / "state" / (method.name() + ".model.json")) {}

  fs::path output_dir;
  std::string stem;
  fs::path model_file;
  fs::path json;
  fs::path csv;
  fs::path logits;
  fs::path log;
  fs::path record;        // of the results
  fs::path model_record;  // of the quantized file, which val and test share
};

/// The work of one method.
class MethodRun {
 public:
  MethodRun(const ExperimentOptions& options, const Method& method, Pass pass, const RunLock& lock,
            const ProgramRunner& programs, const RunContext& context)
      : options_(options),
        method_(method),
        pass_(pass),
        lock_(lock),
        programs_(programs),
        context_(context),
        places_(options, method, pass),
        title_(method.name() + (pass == Pass::own_scales ? " with its own scales" : "")) {
    ExperimentOptions copy = options;
    outcome_.options = list_options(copy).values();
    outcome_.name = method.name();
    outcome_.model_file = places_.model_file;
    outcome_.json = places_.json;
    outcome_.csv = places_.csv;
    outcome_.logits = places_.logits;
    outcome_.log = places_.log;
  }

  MethodOutcome run();

 private:
  std::optional<Dtype> dtype() const {
    return method_.quantization ? std::optional(method_.quantization->dtype) : std::nullopt;
  }
  EngineOptions engine_options() const;
  RunKey evaluation_key() const;
  void add_calibration_data(RunKey& key) const;
  bool take_over(const RunKey& key);
  void do_work(const RunKey& key);
  void quantize();
  void evaluate(const RunKey& key);
  void check_results(const RunKey& key) const;
  std::map<std::string, std::string> files() const;
  ProgramSetting setting() const { return {places_.log, lock_.descriptor()}; }
  QuantizeJob quantize_job() const;
  EvaluationOptions evaluation_options() const;

  const ExperimentOptions& options_;
  const Method& method_;
  const Pass pass_;
  const RunLock& lock_;
  const ProgramRunner& programs_;
  const RunContext& context_;
  const Places places_;
  const std::string title_;  // in the log
  CheckpointArgs args_;
  MethodOutcome outcome_;
};

// `engine` and `kernel` are for INT8, which runs on the CPU; the fp32 baseline and FP16 have one engine.
EngineOptions MethodRun::engine_options() const {
  EngineOptions engine = options_.engine;
  if (runs_on_gpu(dtype())) {
    engine.engine.clear();
    engine.kernel.clear();
  } else {
    engine.gpu_number = -1;
  }
  return engine;
}

RunKey MethodRun::evaluation_key() const {
  DecodingSettings settings;
  settings.data = options_.data;
  settings.engine = engine_options();
  settings.resolved = resolve_engine(dtype(), settings.engine);
  settings.batch_size = options_.batch_size;
  settings.step_latency = options_.step_latency;
  settings.data_fingerprint = fingerprint_of(args_.config, options_.data, context_);
  RunKey key = decoding_key(settings);
  key.add(words_key(options_.language_model.fingerprint()));
  if (options_.language_model.tunes()) {
    key.set(kTuningDataField, fingerprint_of(args_.config, options_.data.train_split(), context_));
  }
  return key;
}

void MethodRun::add_calibration_data(RunKey& key) const {
  if (!method_.quantization || !method_.quantization->needs_calibration()) return;
  key.set(kCalibrationDataField, fingerprint_of(args_.config, options_.data.train_split(), context_));
}

// Hashes of the files that the record speaks of, as they are now.
std::map<std::string, std::string> MethodRun::files() const {
  std::map<std::string, std::string> hashes;
  std::vector<fs::path> paths = {places_.json, places_.csv};
  if (pass_ == Pass::whole) paths.push_back(places_.logits);
  if (method_.quantization) paths.push_back(places_.model_file);
  for (const fs::path& path : paths) {
    hashes[path.lexically_relative(places_.output_dir).generic_string()] = sha256_of_file(path);
  }
  return hashes;
}

bool MethodRun::take_over(const RunKey& key) {
  const std::optional<FinishedWork> work = read_finished_work(places_.record);
  if (!work || !work->key || options_.force) return false;
  std::optional<std::string> difference = key.difference(*work->key);
  const bool words_not_wanted = options_.language_model.skip_lm;
  if (difference && words_not_wanted) {
    // Results with words serve a run that asks for none.
    const std::vector<std::string> of_words = {kLanguageModelField, kTuningDataField};
    difference = key.without(of_words).difference(work->key->without(of_words));
  }
  if (difference) {
    context_.log.info(
        fmt::format("{}: not the same as in the finished run: {}; running it again", title_, *difference));
    return false;
  }
  try {
    if (work->files != files()) {
      context_.log.info(fmt::format("{}: files of the finished run have changed; running it again", title_));
      return false;
    }
    outcome_.evaluation = read_evaluation_json(places_.json);
    outcome_.quantize_peak_memory_bytes = work->quantize_peak_memory_bytes;
    outcome_.quantize_seconds = work->quantize_seconds;
    return true;
  } catch (const FileError& problem) {
    context_.log.info(fmt::format("{}: {}; running it again", title_, problem.what()));
  } catch (const FormatError& problem) {
    context_.log.info(fmt::format("{}: {}; running it again", title_, problem.what()));
  }
  return false;
}

QuantizeJob MethodRun::quantize_job() const {
  QuantizeJob job = quantize_job_of(options_, *method_.quantization);
  job.output_path = places_.model_file;
  job.force = true;  // this run holds the lock of the file
  return job;
}

EvaluationOptions MethodRun::evaluation_options() const {
  EvaluationOptions evaluation;
  evaluation.model_path = places_.model_file;
  evaluation.data = options_.data;
  evaluation.engine = engine_options();
  evaluation.language_model = options_.language_model;
  evaluation.batch_size = options_.batch_size;
  evaluation.step_latency = options_.step_latency;
  evaluation.output_csv = places_.csv;
  evaluation.output_json = places_.json;
  if (pass_ == Pass::whole) evaluation.save_logits = places_.logits;
  evaluation.force = true;  // this run holds the lock of these files
  return evaluation;
}

void MethodRun::quantize() {
  context_.log.info(outcome_.name + ": quantizing");
  const ProgramCosts costs = programs_.quantize(quantize_job(), setting(), context_);
  outcome_.quantize_peak_memory_bytes = costs.peak_memory_bytes;
  outcome_.quantize_seconds = costs.seconds;
}

void MethodRun::evaluate(const RunKey& key) {
  context_.log.info(title_ + ": evaluating");
  programs_.evaluate(evaluation_options(), setting(), context_);
  outcome_.evaluation = read_evaluation_json(places_.json);
  check_results(key);
}

// That the results are of the file that lies there, and of what was asked for: whatever went on meanwhile, no result is
// shown under another's name.
void MethodRun::check_results(const RunKey& key) const {
  const EvaluationSummary& evaluation = outcome_.evaluation;
  const auto refuse = [&](const std::string& problem) {
    throw WorkError(fmt::format("{}: {}; run it again", places_.json.string(), problem));
  };
  const std::string model_sha256 =
      method_.quantization ? sha256_of_file(places_.model_file) : key.value("checkpoint_sha256");
  if (evaluation.model.sha256 != model_sha256) refuse("the results are of another model file than lies there");
  // An evaluation does not read the calibration data; which file it opened is checked above.
  const RunKey asked = key.without({kCalibrationDataField});
  const RunKey evaluated = evaluation.run_key.without({kModelField});
  if (const auto difference = asked.difference(evaluated))
    refuse("it was evaluated otherwise than asked: " + *difference);
}

void MethodRun::do_work(const RunKey& key) {
  FinishedWork work;
  work.model_path = recorded_model_path(options_.model_path, places_.output_dir);
  write_finished_work(work, places_.record);
  write_file_atomically(places_.log, "");
  if (method_.quantization && pass_ == Pass::whole) {
    write_finished_work(work, places_.model_record);
    quantize();
  }
  evaluate(key);
  work.key = key;
  work.files = files();
  work.quantize_peak_memory_bytes = outcome_.quantize_peak_memory_bytes;
  work.quantize_seconds = outcome_.quantize_seconds;
  write_finished_work(work, places_.record);
}

MethodOutcome MethodRun::run() {
  // What fails here concerns every method; what fails below, this one.
  refuse_results_of_another_model(options_, method_, context_);
  args_ = read_checkpoint_args(options_.model_path);
  RunKey key = tool_key();
  key.add(model_key(checkpoint_sha256(options_.model_path), args_.sha256, method_.quantization));
  key.add(evaluation_key());
  try {
    add_calibration_data(key);
    outcome_.reused = take_over(key);
    if (outcome_.reused) {
      context_.log.info(title_ + ": finished by an earlier run");
    } else {
      do_work(key);
    }
    outcome_.succeeded = true;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& problem) {
    outcome_.problem = problem.what();
    context_.log.warning(fmt::format("{}: {}", title_, outcome_.problem));
  }
  return outcome_;
}

}  // namespace

void refuse_results_of_another_model(const ExperimentOptions& options, const Method& method,
                                     const RunContext& context) {
  if (options.force) return;
  const Places places(options, method, Pass::whole);
  const std::string own = recorded_model_path(options.model_path, places.output_dir);
  const auto refuse = [&](const fs::path& path, const std::string& whose) {
    throw FileError(path.string(),
                    fmt::format("already exists and {}, not of {}; use another --output_dir, or --force to replace it",
                                whose, options.model_path.string()));
  };
  std::error_code ignored;
  const auto check = [&](const fs::path& file, const fs::path& record) {
    const std::optional<FinishedWork> work = read_finished_work(record);
    if (work && work->model_path != own) {
      refuse(record, fmt::format("tells of results of {}", work->model_path));
    }
    return work.has_value() || !fs::exists(file, ignored);
  };
  const auto check_results = [&](const Places& results) {
    if (!check(results.json, results.record)) refuse(results.json, "was not made by an experiment of this version");
  };
  check_results(places);
  if (options.tune_lm_each) check_results(Places(options, method, Pass::own_scales));
  if (!method.quantization || check(places.model_file, places.model_record)) return;
  QuantizeJob job = quantize_job_of(options, *method.quantization);
  job.output_path = places.model_file;
  if (const auto difference = difference_from_file(job, places.model_file, libtorch_calibration(), context)) {
    refuse(places.model_file, *difference);
  }
}

MethodOutcome run_method(const ExperimentOptions& options, const Method& method, const RunLock& lock,
                         const ProgramRunner& programs, const RunContext& context) {
  if (!is_checkpoint_folder(options.model_path)) {
    throw FileError(options.model_path.string(), "no checkpoint folder (checkpoint/best_checkpoint) there");
  }
  return MethodRun(options, method, Pass::whole, lock, programs, context).run();
}

MethodOutcome run_with_own_scales(const ExperimentOptions& options, const Method& method, const RunLock& lock,
                                  const ProgramRunner& programs, const RunContext& context) {
  return MethodRun(options, method, Pass::own_scales, lock, programs, context).run();
}

ExperimentOptions resolved(const ExperimentOptions& given, const RunContext& context) {
  given.validate();
  given.language_model.name_unused(context);
  ExperimentOptions options = given;
  options.language_model = given.language_model.with_scales_read();
  options.engine.gpu_number = resolve_gpu_number(given.engine.gpu_number, context);
  const LanguageModelOptions& words = given.language_model;
  if (!words.skip_lm && words.needs_server()) make_language_model(words)->await_ready(context);
  return options;
}

}  // namespace brainquant
