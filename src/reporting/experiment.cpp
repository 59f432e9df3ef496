#include "brainquant/reporting/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "brainquant/quantization/quantized_file.h"
#include "brainquant/reporting/child_process.h"
#include "brainquant/support/atomic_file.h"
#include "brainquant/support/error.h"
#include "brainquant/support/sha256.h"
#include "brainquant/version.h"

namespace brainquant {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMostStateBytes = std::size_t{1} << 24;
constexpr std::size_t kMostLogBytes = std::size_t{1} << 26;
constexpr std::size_t kMostYamlBytes = std::size_t{64} << 20;

std::string fingerprint_of(const DecoderConfig& config, DatasetOptions data, Split split, const RunContext& context) {
  data.split = split;
  if (split == Split::train) {
    data.sessions.clear();
    data.max_trials.reset();
  }
  // The evaluation itself says what it skips or ignores.
  RunContext silent;
  const std::string text = Dataset(config, data, RunContext(silent.log, silent.progress, context.cancel)).fingerprint();
  return sha256_of_bytes(text.data(), text.size());
}

DecoderConfig config_of(const fs::path& model) {
  const fs::path below = model / "checkpoint" / "args.yaml";
  const fs::path path = fs::exists(below) ? below : model / "args.yaml";
  return parse_args_yaml(read_file(path, kMostYamlBytes), path.string());
}

json json_of(const QuantizationOptions& options) {
  json result = {{"method", options.method_name()}, {"day_layers", name_of(options.day_layers)}};
  if (options.dtype == Dtype::qint8) result["granularity"] = name_of(options.effective_granularity());
  if (options.is_static()) {
    result["observer"] = name_of(options.effective_observer());
    result["calibration_samples"] = options.calibration_samples;
  }
  return result;
}

// What a program said last about its failure.
std::string last_error_in(const fs::path& log) {
  constexpr std::string_view kMark = "error: ";
  const std::string text = read_file(log, kMostLogBytes);
  const std::size_t at = text.rfind("\n" + std::string(kMark));
  if (at == std::string::npos)
    return text.starts_with(kMark) ? text.substr(kMark.size(), text.find('\n') - kMark.size()) : "";
  const std::size_t begin = at + 1 + kMark.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

/// The work of one method.
class MethodRun {
 public:
  MethodRun(const ExperimentOptions& options, const Method& method, const RunContext& context);
  MethodOutcome run();

 private:
  bool uses_int8() const { return method_.quantization && method_.quantization->dtype == Dtype::qint8; }
  json request() const;
  void add_calibration_data(json& request) const;
  void do_work(const json& request);
  bool take_over(const json& request);
  std::string file_state() const;
  void quantize();
  void evaluate();
  ChildResult run_program(const std::string& name, const std::vector<std::string>& arguments);
  std::vector<std::string> quantize_arguments() const;
  std::vector<std::string> evaluate_arguments() const;

  const ExperimentOptions& options_;
  const Method& method_;
  const RunContext& context_;
  fs::path state_file_;
  MethodOutcome outcome_;
};

MethodRun::MethodRun(const ExperimentOptions& options, const Method& method, const RunContext& context)
    : options_(options), method_(method), context_(context) {
  const std::string name = method.name();
  const std::string stem = fmt::format("{}_{}", name, name_of(options.data.split));
  const fs::path results = options.results_dir();
  outcome_.name = name;
  outcome_.model_file =
      method.quantization ? options.effective_output_dir() / ("quantized_" + name) / "checkpoint" / "quantized_model.pt"
                          : options.model_path;
  outcome_.json = results / (stem + ".json");
  outcome_.csv = results / (stem + ".csv");
  outcome_.logits = results / "logits" / (stem + ".h5");
  outcome_.log = results / "logs" / (stem + ".log");
  state_file_ = results / "state" / (stem + ".json");
}

// Everything that decides the results. Two runs with the same request need the work only once.
json MethodRun::request() const {
  const DecoderConfig config = config_of(options_.model_path);
  json request = {{"tool_version", kVersion},
                  {"source_sha256", checkpoint_sha256(options_.model_path)},
                  {"quantization", method_.quantization ? json_of(*method_.quantization) : json(nullptr)},
                  {"eval_type", name_of(options_.data.split)},
                  {"data", fingerprint_of(config, options_.data, options_.data.split, context_)},
                  {"engine", uses_int8() ? options_.engine.engine : ""},
                  {"kernel", uses_int8() ? options_.engine.kernel : ""},
                  {"gpu_number", options_.engine.gpu_number},
                  {"threads", options_.engine.effective_threads()},
                  {"batch_size", options_.batch_size},
                  {"step_latency", options_.step_latency},
                  {"language_model", options_.language_model.fingerprint()},
                  {"cpu", machine_facts().cpu}};
  return request;
}

void MethodRun::add_calibration_data(json& request) const {
  if (!method_.quantization || !method_.quantization->is_static()) return;
  request["calibration_data"] = fingerprint_of(config_of(options_.model_path), options_.data, Split::train, context_);
}

// Hashes of the files that the state speaks of, as they are now.
std::string MethodRun::file_state() const {
  std::string state;
  for (const fs::path& path : {outcome_.json, outcome_.csv, outcome_.logits}) state += sha256_of_file(path) + " ";
  if (method_.quantization) state += sha256_of_file(outcome_.model_file);
  return state;
}

bool MethodRun::take_over(const json& request) {
  try {
    if (!fs::exists(state_file_)) return false;
    const json state = json::parse(read_file(state_file_, kMostStateBytes));
    if (state.at("request") != request) {
      context_.log.info(fmt::format("{}: checkpoint, data or options are not those of the finished run; doing it again",
                                    outcome_.name));
      return false;
    }
    if (state.at("files") != file_state()) {
      context_.log.info(fmt::format("{}: files of the finished run were changed; doing it again", outcome_.name));
      return false;
    }
    state.at("quantize_peak_memory_bytes").get_to(outcome_.quantize_peak_memory_bytes);
    state.at("quantize_seconds").get_to(outcome_.quantize_seconds);
    outcome_.evaluation = read_evaluation_json(outcome_.json);
    return true;
  } catch (const json::exception&) {
  } catch (const FileError&) {
  } catch (const FormatError&) {
  }
  context_.log.info(fmt::format("{}: files of the finished run are missing or damaged; doing it again", outcome_.name));
  return false;
}

ChildResult MethodRun::run_program(const std::string& name, const std::vector<std::string>& arguments) {
  const ChildResult child = run_child(sibling_executable(name), arguments, outcome_.log, context_);
  if (child.exit_code == 0) return child;
  const std::string said = last_error_in(outcome_.log);
  throw WorkError(
      fmt::format("{} {} (exit code {}){}", name,
                  child.exit_code > 128 ? fmt::format("was ended by signal {}", child.exit_code - 128) : "failed",
                  child.exit_code, said.empty() ? "; see " + outcome_.log.string() : ": " + said));
}

std::vector<std::string> MethodRun::quantize_arguments() const {
  const QuantizationOptions& q = *method_.quantization;
  std::vector<std::string> arguments = {"--model_path",
                                        options_.model_path.string(),
                                        "--output_path",
                                        outcome_.model_file.string(),
                                        "--quantization_type",
                                        name_of(q.quantization_type),
                                        "--dtype",
                                        name_of(q.dtype),
                                        "--day_layers",
                                        name_of(q.day_layers),
                                        "--threads",
                                        std::to_string(options_.engine.threads),
                                        "--gpu_number",
                                        "-1",
                                        "--force"};
  if (q.weight_granularity) arguments.insert(arguments.end(), {"--weight_granularity", name_of(*q.weight_granularity)});
  if (q.observer) arguments.insert(arguments.end(), {"--observer", name_of(*q.observer)});
  if (q.is_static()) {
    arguments.insert(arguments.end(),
                     {"--data_dir", options_.data.data_dir.string(), "--csv_path", options_.data.csv_path.string(),
                      "--calibration_samples", std::to_string(q.calibration_samples), "--calibration_batch_size",
                      std::to_string(options_.calibration_batch_size)});
  }
  return arguments;
}

std::vector<std::string> MethodRun::evaluate_arguments() const {
  std::vector<std::string> arguments = {"--model_path",   outcome_.model_file.string(),
                                        "--data_dir",     options_.data.data_dir.string(),
                                        "--csv_path",     options_.data.csv_path.string(),
                                        "--eval_type",    name_of(options_.data.split),
                                        "--gpu_number",   std::to_string(options_.engine.gpu_number),
                                        "--threads",      std::to_string(options_.engine.threads),
                                        "--batch_size",   std::to_string(options_.batch_size),
                                        "--step_latency", std::to_string(options_.step_latency),
                                        "--output_csv",   outcome_.csv.string(),
                                        "--output_json",  outcome_.json.string(),
                                        "--save_logits",  outcome_.logits.string()};
  if (!options_.data.sessions.empty()) {
    arguments.insert(arguments.end(), {"--sessions", fmt::format("{}", fmt::join(options_.data.sessions, ","))});
  }
  if (options_.data.max_trials) {
    arguments.insert(arguments.end(), {"--max_trials", std::to_string(*options_.data.max_trials)});
  }
  if (uses_int8() && !options_.engine.engine.empty()) {
    arguments.insert(arguments.end(), {"--engine", options_.engine.engine});
  }
  if (uses_int8() && !options_.engine.kernel.empty()) {
    arguments.insert(arguments.end(), {"--kernel", options_.engine.kernel});
  }
  const std::vector<std::string> language_model = options_.language_model.arguments();
  arguments.insert(arguments.end(), language_model.begin(), language_model.end());
  return arguments;
}

void MethodRun::quantize() {
  context_.log.info(outcome_.name + ": quantizing");
  const ChildResult child = run_program("quantize_model", quantize_arguments());
  outcome_.quantize_peak_memory_bytes = child.peak_memory_bytes;
  outcome_.quantize_seconds = child.seconds;
}

void MethodRun::evaluate() {
  context_.log.info(outcome_.name + ": evaluating");
  run_program("evaluate_quantized_model", evaluate_arguments());
  outcome_.evaluation = read_evaluation_json(outcome_.json);
}

void MethodRun::do_work(const json& request) {
  std::error_code ignored;
  fs::remove(state_file_, ignored);
  write_file_atomically(outcome_.log, "");
  if (method_.quantization) quantize();
  evaluate();
  const json state = {{"request", request},
                      {"files", file_state()},
                      {"quantize_peak_memory_bytes", outcome_.quantize_peak_memory_bytes},
                      {"quantize_seconds", outcome_.quantize_seconds}};
  write_file_atomically(state_file_, state.dump(2) + "\n");
}

MethodOutcome MethodRun::run() {
  // What fails here concerns every method; what fails below, this one.
  json wanted = request();
  try {
    add_calibration_data(wanted);
    outcome_.reused = take_over(wanted);
    if (outcome_.reused) {
      context_.log.info(outcome_.name + ": finished by an earlier run");
    } else {
      do_work(wanted);
    }
    outcome_.succeeded = true;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& problem) {
    outcome_.problem = problem.what();
    context_.log.warning(fmt::format("{}: {}", outcome_.name, outcome_.problem));
  }
  return outcome_;
}

}  // namespace

std::string Method::name() const { return quantization ? quantization->method_name() : "fp32"; }

void ExperimentOptions::validate() const {
  EvaluationOptions evaluation;
  evaluation.data = data;
  evaluation.engine = engine;
  evaluation.language_model = language_model;
  evaluation.batch_size = batch_size;
  evaluation.step_latency = step_latency;
  evaluation.validate();
  if (calibration_batch_size < 1) {
    throw UsageError(fmt::format("--calibration_batch_size: found {}, expected at least 1", calibration_batch_size));
  }
}

fs::path ExperimentOptions::effective_output_dir() const {
  if (!output_dir.empty()) return output_dir;
  // "MODEL/" and "MODEL" are the same folder.
  const fs::path model = fs::absolute(model_path).lexically_normal();
  return model.has_filename() ? model.parent_path() : model.parent_path().parent_path();
}

fs::path ExperimentOptions::results_dir() const { return effective_output_dir() / "quantization_results"; }

MethodOutcome run_method(const ExperimentOptions& options, const Method& method, const RunContext& context) {
  if (!is_checkpoint_folder(options.model_path)) {
    throw FileError(options.model_path.string(), "no checkpoint folder (checkpoint/best_checkpoint) there");
  }
  return MethodRun(options, method, context).run();
}

}  // namespace brainquant
