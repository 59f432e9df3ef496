#include "brainquant/evaluation/evaluation_summary.h"

#include <nlohmann/json.hpp>

#include "brainquant/support/error.h"
#include "evaluation/json_fields.h"
#include "support/atomic_file.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

constexpr const char* kSchema = "brainquant/evaluation";
constexpr std::size_t kMostBytes = std::size_t{1} << 28;

}  // namespace

// Each struct's fields, in the order in which they stand in the file.

static ordered_json json_of_field(const QuantizationOptions& given) {
  QuantizationOptions options = given;
  return json_of(list_options(options).values());
}

static void read_field(const ordered_json& json, QuantizationOptions& options) {
  const OptionList list = list_options(options);
  for (const auto& [name, value] : option_values_of(json)) {
    if (const std::string text = text_of(value); !text.empty()) list.at(name).set(text);
  }
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, ErrorRate>& rate) {
  fields.derived("rate", rate.rate());
  fields("distance", rate.distance);
  fields("length", rate.length);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, GroupedErrorRate>& rate) {
  fields("total", rate.total);
  fields("substitutions", rate.edits.substitutions);
  fields("deletions", rate.edits.deletions);
  fields("insertions", rate.edits.insertions);
  fields("sessions", rate.sessions);
  fields("corpora", rate.corpora);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, ModelFacts>& model) {
  fields("method", model.method);
  fields("path", model.path);
  fields("sha256", model.sha256);
  fields("source_sha256", model.source_sha256);
  fields.added_later("args_sha256", model.args_sha256);
  fields.object_if("quantization", model.quantization, [&](auto& quantization) {
    quantization("made_by", model.made_by);
    quantization("options", *model.quantization);
    quantization("calibration_trials", model.calibration_trials);
    quantization("calibration_sha256", model.calibration_sha256);
  });
  fields("bytes", model.bytes);
  fields("fp32_bytes", model.fp32_bytes);
  fields("val_per", model.val_per);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, MachineFacts>& machine) {
  fields("cpu", machine.cpu);
  fields("cores", machine.cores);
  fields("libtorch_version", machine.libtorch_version);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, TimingReport>& timing) {
  fields("trials", timing.trials);
  fields("signal_seconds", timing.signal_seconds);
  fields("model_seconds", timing.model_seconds);
  fields("wall_seconds", timing.wall_seconds);
  fields("load_seconds", timing.load_seconds);
  fields.derived("model_ms_per_trial", timing.model_ms_per_trial());
  fields.added_later("model_ms_p10", timing.model_ms_p10);
  fields.added_later("model_ms_p50", timing.model_ms_p50);
  fields.added_later("model_ms_p90", timing.model_ms_p90);
  fields.added_later("core_share", timing.core_share);
  fields.derived("wall_ms_per_trial", timing.wall_ms_per_trial());
  fields.derived("real_time_factor", timing.real_time_factor());
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, LatencySummary>& latency) {
  fields("count", latency.count);
  fields("p50_ms", latency.p50_ms);
  fields("p99_ms", latency.p99_ms);
  fields("max_ms", latency.max_ms);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, LatencyBin>& bin) {
  fields("from_ms", bin.from_ms);
  fields("to_ms", bin.to_ms);
  fields("count", bin.count);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, StepReport>& step) {
  fields("work", step.work);
  fields("last_bin", step.last_bin);
  fields("budget_ms", step.budget_ms);
  fields.added_later("late", step.late);
  fields.added_later("histogram", step.histogram);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, TrialScore>& trial) {
  fields("label", trial.label);
  fields("corpus", trial.corpus);
  fields("bins", trial.bins);
  fields("steps", trial.steps);
  fields("true_length", trial.true_length);
  fields("distance", trial.distance);
  fields("distance_ctc", trial.distance_ctc);
  fields("true_words", trial.true_words);
  fields("word_distance", trial.word_distance);
  fields.added_later("true_phonemes", trial.true_phonemes);
  fields.added_later("true_sentence", trial.true_sentence);
  fields.added_later("sentence", trial.sentence);
  fields.added_later("sentence_margin", trial.sentence_margin);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, SentenceExample>& example) {
  fields("label", example.label);
  fields.column("truth", example.words, &AlignedWords::truth);
  fields.column("prediction", example.words, &AlignedWords::prediction);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, LmScales>& scales) {
  fields("acoustic_scale", scales.acoustic_scale);
  fields("blank_penalty", scales.blank_penalty);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, TriedScales>& tried) {
  list_fields(fields, static_cast<OfStruct<Fields, LmScales>&>(tried));
  fields("word_distance", tried.word_distance);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, LmTuning>& tuning) {
  fields.derived("count", tuning.trials.size());
  fields("trials", tuning.trials);
  fields("true_words", tuning.true_words);
  fields("tried", tuning.tried);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, EvaluationSummary>& summary) {
  fields("tool_version", summary.tool_version);
  fields.added_later("git_commit", summary.git_commit);
  fields.added_later("run_key", summary.run_key);
  fields.added_later("options", summary.options);
  fields("model", summary.model);
  fields.object("engine", [&](auto& engine) {
    engine("name", summary.engine);
    engine("instructions", summary.instructions);
    engine("threads", summary.threads);
    engine("batch_size", summary.batch_size);
    engine("streaming", summary.streaming);
  });
  fields("machine", summary.machine);
  fields.object("data", [&](auto& data) {
    data("eval_type", summary.eval_type);
    data("fingerprint", summary.data_fingerprint);
    data("for_testing", summary.for_testing);
    data.derived("trials", summary.trials.size());
    data("too_short", summary.too_short);
    data("resumed", summary.resumed);
  });
  fields("per", summary.per);
  fields("per_ctc", summary.per_ctc);
  fields.text_or_null("language_model", summary.language_model);
  fields("language_model_seconds", summary.language_model_seconds);
  fields.added_later("lm_scales", summary.lm_scales);
  fields.added_later("lm_tuning", summary.lm_tuning);
  fields("wer", summary.wer);
  fields.added_later("worst_sentences", summary.worst_sentences);
  fields("timing", summary.timing);
  fields("step", summary.step);
  fields("peak_memory_bytes", summary.peak_memory_bytes);
  fields("trials", summary.trials);
}

double LmTuning::wer(const TriedScales& scales) const {
  return true_words > 0 ? 100.0 * static_cast<double>(scales.word_distance) / static_cast<double>(true_words) : 0;
}

std::string evaluation_json(const EvaluationSummary& summary) {
  ordered_json json = {{"schema", kSchema}, {"schema_version", kResultsSchemaVersion}};
  json.update(json_of_fields(summary));
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
    return struct_of_json<EvaluationSummary>(json);
  } catch (const ordered_json::exception& problem) {
    throw FormatError(path.string(), "", problem.what());
  } catch (const UsageError& problem) {  // an option's value that no flag would take
    throw FormatError(path.string(), "options", problem.what());
  }
}

}  // namespace brainquant
