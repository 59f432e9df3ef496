#include "brainquant/evaluation/evaluation_summary.h"

#include <nlohmann/json.hpp>

#include "brainquant/support/atomic_file.h"
#include "brainquant/support/error.h"
#include "evaluation/json_values.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

constexpr const char* kSchema = "brainquant/evaluation";
constexpr std::size_t kMostBytes = std::size_t{1} << 28;

ordered_json json_of(const ErrorRate& rate) {
  return {{"rate", rate.rate()}, {"distance", rate.distance}, {"length", rate.length}};
}

ErrorRate rate_of(const ordered_json& json) {
  return {json.at("distance").get<std::int64_t>(), json.at("length").get<std::int64_t>()};
}

ordered_json json_of(const std::map<std::string, ErrorRate>& groups) {
  ordered_json json = ordered_json::object();
  for (const auto& [name, rate] : groups) json[name] = json_of(rate);
  return json;
}

std::map<std::string, ErrorRate> groups_of(const ordered_json& json) {
  std::map<std::string, ErrorRate> groups;
  for (const auto& [name, rate] : json.items()) groups[name] = rate_of(rate);
  return groups;
}

ordered_json json_of(const std::optional<GroupedErrorRate>& rate) {
  if (!rate) return nullptr;
  return {{"total", json_of(rate->total)},       {"substitutions", rate->edits.substitutions},
          {"deletions", rate->edits.deletions},  {"insertions", rate->edits.insertions},
          {"sessions", json_of(rate->sessions)}, {"corpora", json_of(rate->corpora)}};
}

std::optional<GroupedErrorRate> grouped_of(const ordered_json& json) {
  if (json.is_null()) return {};
  GroupedErrorRate rate;
  rate.total = rate_of(json.at("total"));
  json.at("substitutions").get_to(rate.edits.substitutions);
  json.at("deletions").get_to(rate.edits.deletions);
  json.at("insertions").get_to(rate.edits.insertions);
  rate.sessions = groups_of(json.at("sessions"));
  rate.corpora = groups_of(json.at("corpora"));
  return rate;
}

ordered_json json_of(const ModelFacts& model) {
  ordered_json quantization = nullptr;
  if (model.quantization) {
    QuantizationOptions options = *model.quantization;
    quantization = {{"made_by", model.made_by},
                    {"options", brainquant::json_of(list_options(options).values())},
                    {"calibration_trials", model.calibration_trials},
                    {"calibration_sha256", model.calibration_sha256}};
  }
  return {{"method", model.method},
          {"path", model.path},
          {"sha256", model.sha256},
          {"source_sha256", model.source_sha256},
          {"args_sha256", model.args_sha256},
          {"quantization", quantization},
          {"bytes", model.bytes},
          {"fp32_bytes", model.fp32_bytes},
          {"val_per", model.val_per ? ordered_json(*model.val_per) : ordered_json(nullptr)}};
}

ModelFacts model_of(const ordered_json& json) {
  ModelFacts model;
  json.at("method").get_to(model.method);
  json.at("path").get_to(model.path);
  json.at("sha256").get_to(model.sha256);
  json.at("source_sha256").get_to(model.source_sha256);
  json.at("bytes").get_to(model.bytes);
  json.at("fp32_bytes").get_to(model.fp32_bytes);
  if (!json.at("val_per").is_null()) model.val_per = json.at("val_per").get<double>();
  model.args_sha256 = json.value("args_sha256", "");
  const ordered_json quantization = json.value("quantization", ordered_json(nullptr));
  if (quantization.is_null()) return model;
  quantization.at("made_by").get_to(model.made_by);
  model.quantization.emplace();
  const OptionList list = list_options(*model.quantization);
  for (const auto& [name, value] : option_values_of(quantization.at("options"))) {
    if (const std::string text = text_of(value); !text.empty()) list.at(name).set(text);
  }
  quantization.at("calibration_trials").get_to(model.calibration_trials);
  quantization.at("calibration_sha256").get_to(model.calibration_sha256);
  return model;
}

ordered_json json_of(const TimingReport& timing) {
  return {{"trials", timing.trials},
          {"signal_seconds", timing.signal_seconds},
          {"model_seconds", timing.model_seconds},
          {"wall_seconds", timing.wall_seconds},
          {"load_seconds", timing.load_seconds},
          {"model_ms_per_trial", timing.model_ms_per_trial()},
          {"model_ms_p10", timing.model_ms_p10},
          {"model_ms_p50", timing.model_ms_p50},
          {"model_ms_p90", timing.model_ms_p90},
          {"core_share", timing.core_share},
          {"wall_ms_per_trial", timing.wall_ms_per_trial()},
          {"real_time_factor", timing.real_time_factor()}};
}

TimingReport timing_of(const ordered_json& json) {
  TimingReport timing;
  json.at("trials").get_to(timing.trials);
  json.at("signal_seconds").get_to(timing.signal_seconds);
  json.at("model_seconds").get_to(timing.model_seconds);
  json.at("wall_seconds").get_to(timing.wall_seconds);
  json.at("load_seconds").get_to(timing.load_seconds);
  timing.model_ms_p10 = json.value("model_ms_p10", 0.0);
  timing.model_ms_p50 = json.value("model_ms_p50", 0.0);
  timing.model_ms_p90 = json.value("model_ms_p90", 0.0);
  timing.core_share = json.value("core_share", 1.0);
  return timing;
}

ordered_json json_of(const LatencySummary& latency) {
  return {{"count", latency.count}, {"p50_ms", latency.p50_ms}, {"p99_ms", latency.p99_ms}, {"max_ms", latency.max_ms}};
}

LatencySummary latency_of(const ordered_json& json) {
  return {json.at("count").get<std::int64_t>(), json.at("p50_ms").get<double>(), json.at("p99_ms").get<double>(),
          json.at("max_ms").get<double>()};
}

ordered_json json_of(const std::optional<StepReport>& step) {
  if (!step) return nullptr;
  return {{"work", json_of(step->work)}, {"last_bin", json_of(step->last_bin)}, {"budget_ms", step->budget_ms}};
}

std::optional<StepReport> step_of(const ordered_json& json) {
  if (json.is_null()) return {};
  return StepReport{latency_of(json.at("work")), latency_of(json.at("last_bin")), json.at("budget_ms").get<double>()};
}

ordered_json json_of(const TrialScore& trial) {
  return {{"label", trial.label},
          {"corpus", trial.corpus},
          {"bins", trial.bins},
          {"steps", trial.steps},
          {"true_length", trial.true_length},
          {"distance", trial.distance},
          {"distance_ctc", trial.distance_ctc},
          {"true_words", trial.true_words},
          {"word_distance", trial.word_distance}};
}

TrialScore trial_of(const ordered_json& json) {
  TrialScore trial;
  json.at("label").get_to(trial.label);
  json.at("corpus").get_to(trial.corpus);
  json.at("bins").get_to(trial.bins);
  json.at("steps").get_to(trial.steps);
  json.at("true_length").get_to(trial.true_length);
  json.at("distance").get_to(trial.distance);
  json.at("distance_ctc").get_to(trial.distance_ctc);
  json.at("true_words").get_to(trial.true_words);
  json.at("word_distance").get_to(trial.word_distance);
  return trial;
}

// No word is null.
ordered_json json_of(const SentenceExample& example) {
  ordered_json truth = ordered_json::array(), prediction = ordered_json::array();
  const auto word = [](const std::string& text) { return text.empty() ? ordered_json(nullptr) : ordered_json(text); };
  for (const AlignedWords& column : example.words) {
    truth.push_back(word(column.truth));
    prediction.push_back(word(column.prediction));
  }
  return {{"label", example.label}, {"truth", truth}, {"prediction", prediction}};
}

SentenceExample example_of(const ordered_json& json) {
  SentenceExample example;
  json.at("label").get_to(example.label);
  const auto word = [](const ordered_json& text) { return text.is_null() ? "" : text.get<std::string>(); };
  const ordered_json& truth = json.at("truth");
  for (std::size_t i = 0; i < truth.size(); ++i) {
    example.words.push_back({word(truth.at(i)), word(json.at("prediction").at(i))});
  }
  return example;
}

EvaluationSummary summary_of(const ordered_json& json) {
  EvaluationSummary summary;
  json.at("tool_version").get_to(summary.tool_version);
  summary.git_commit = json.value("git_commit", "");
  if (json.contains("run_key")) summary.run_key = run_key_of(json.at("run_key"));
  if (json.contains("options")) summary.options = option_values_of(json.at("options"));
  summary.model = model_of(json.at("model"));
  const ordered_json& engine = json.at("engine");
  engine.at("name").get_to(summary.engine);
  engine.at("instructions").get_to(summary.instructions);
  engine.at("threads").get_to(summary.threads);
  engine.at("batch_size").get_to(summary.batch_size);
  engine.at("streaming").get_to(summary.streaming);
  const ordered_json& machine = json.at("machine");
  machine.at("cpu").get_to(summary.machine.cpu);
  machine.at("cores").get_to(summary.machine.cores);
  machine.at("libtorch_version").get_to(summary.machine.libtorch_version);
  const ordered_json& data = json.at("data");
  data.at("eval_type").get_to(summary.eval_type);
  data.at("fingerprint").get_to(summary.data_fingerprint);
  data.at("for_testing").get_to(summary.for_testing);
  data.at("too_short").get_to(summary.too_short);
  data.at("resumed").get_to(summary.resumed);
  summary.per = grouped_of(json.at("per"));
  summary.per_ctc = grouped_of(json.at("per_ctc"));
  if (!json.at("language_model").is_null()) json.at("language_model").get_to(summary.language_model);
  json.at("language_model_seconds").get_to(summary.language_model_seconds);
  summary.wer = grouped_of(json.at("wer"));
  if (json.contains("worst_sentences")) {  // a field that was added to the version
    for (const ordered_json& example : json.at("worst_sentences"))
      summary.worst_sentences.push_back(example_of(example));
  }
  summary.timing = timing_of(json.at("timing"));
  summary.step = step_of(json.at("step"));
  json.at("peak_memory_bytes").get_to(summary.peak_memory_bytes);
  for (const ordered_json& trial : json.at("trials")) summary.trials.push_back(trial_of(trial));
  return summary;
}

}  // namespace

std::string evaluation_json(const EvaluationSummary& summary) {
  ordered_json trials = ordered_json::array();
  for (const TrialScore& trial : summary.trials) trials.push_back(json_of(trial));
  ordered_json examples = ordered_json::array();
  for (const SentenceExample& example : summary.worst_sentences) examples.push_back(json_of(example));
  const ordered_json json = {
      {"schema", kSchema},
      {"schema_version", kResultsSchemaVersion},
      {"tool_version", summary.tool_version},
      {"git_commit", summary.git_commit},
      {"run_key", brainquant::json_of(summary.run_key)},
      {"options", brainquant::json_of(summary.options)},
      {"model", json_of(summary.model)},
      {"engine",
       {{"name", summary.engine},
        {"instructions", summary.instructions},
        {"threads", summary.threads},
        {"batch_size", summary.batch_size},
        {"streaming", summary.streaming}}},
      {"machine",
       {{"cpu", summary.machine.cpu},
        {"cores", summary.machine.cores},
        {"libtorch_version", summary.machine.libtorch_version}}},
      {"data",
       {{"eval_type", summary.eval_type},
        {"fingerprint", summary.data_fingerprint},
        {"for_testing", summary.for_testing},
        {"trials", summary.trials.size()},
        {"too_short", summary.too_short},
        {"resumed", summary.resumed}}},
      {"per", json_of(summary.per)},
      {"per_ctc", json_of(summary.per_ctc)},
      {"language_model", summary.language_model.empty() ? ordered_json(nullptr) : ordered_json(summary.language_model)},
      {"language_model_seconds", summary.language_model_seconds},
      {"wer", json_of(summary.wer)},
      {"worst_sentences", examples},
      {"timing", json_of(summary.timing)},
      {"step", json_of(summary.step)},
      {"peak_memory_bytes", summary.peak_memory_bytes},
      {"trials", trials}};
  return json_text(json);
}

EvaluationSummary read_evaluation_json(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMostBytes);
  try {
    const ordered_json json = ordered_json::parse(text);
    if (json.at("schema") != kSchema) {
      throw FormatError(path.string(), "schema", json.at("schema").dump(), std::string("\"") + kSchema + "\"");
    }
    if (json.at("schema_version") != kResultsSchemaVersion) {
      throw FormatError(path.string(), "schema_version", json.at("schema_version").dump(),
                        std::to_string(kResultsSchemaVersion));
    }
    return summary_of(json);
  } catch (const ordered_json::exception& problem) {
    throw FormatError(path.string(), "", problem.what());
  } catch (const UsageError& problem) {  // an option's value that no flag would take
    throw FormatError(path.string(), "options", problem.what());
  }
}

}  // namespace brainquant
