#include <fmt/format.h>

#include <cmath>

#include "brainquant/reporting/comparison_report.h"
#include "brainquant/reporting/evaluation_text.h"
#include "brainquant/reporting/text_table.h"

namespace brainquant {

namespace {

using Align = TextTable::Align;

constexpr double kBytesPerMegabyte = 1e6;

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes) / kBytesPerMegabyte);
}

std::string rate(const std::optional<GroupedErrorRate>& value) {
  return value ? fmt::format("{:.2f}", value->total.rate()) : "-";
}

std::string with_interval(const std::optional<RateDifference>& value) {
  return value ? fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", value->difference, value->low, value->high) : "-";
}

std::string decibels(const std::optional<LogitsDifference>& value) {
  if (!value) return "-";
  return std::isinf(value->sqnr_db) ? "equal" : fmt::format("{:.1f}", value->sqnr_db);
}

std::string trial_time(const TimingReport& timing) {
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", timing.model_ms_p50, timing.model_ms_p10, timing.model_ms_p90);
}

TextTable accuracy_table(const Comparison& comparison) {
  const bool labelled = comparison.eval_type != "test";
  const EvaluationSummary* any = comparison.any_evaluation();
  const bool words = any != nullptr && any->wer.has_value();
  std::vector<TextTable::Column> columns = {{"method", Align::left}, {"MB"}, {"ratio"}};
  if (labelled) columns.insert(columns.end(), {{"PER %"}, {"PER - fp32 [95 %]"}, {"PER ctc %"}});
  if (words) columns.insert(columns.end(), {{"WER %"}, {"WER - fp32 [95 %]"}});
  columns.insert(columns.end(), {{"logits dB"}, {"argmax %"}});
  TextTable table(columns);
  for (const ComparedMethod& method : comparison.methods) {
    const EvaluationSummary& e = method.outcome.evaluation;
    if (!method.outcome.succeeded) {
      table.add_row({method.outcome.name, "failed"});
      continue;
    }
    std::vector<std::string> cells = {method.outcome.name, megabytes(e.model.bytes),
                                      fmt::format("{:.2f}", method.compression())};
    if (labelled) cells.insert(cells.end(), {rate(e.per), with_interval(method.per_difference), rate(e.per_ctc)});
    if (words) cells.insert(cells.end(), {rate(e.wer), with_interval(method.wer_difference)});
    cells.push_back(decibels(method.logits));
    cells.push_back(method.logits ? fmt::format("{:.2f}", method.logits->agreement_percent) : "-");
    table.add_row(std::move(cells));
  }
  return table;
}

TextTable cost_table(const Comparison& comparison) {
  TextTable table({{"method", Align::left},
                   {"ms/trial [10-90 %]"},
                   {"wall ms/trial"},
                   {"real time factor"},
                   {"step p50 ms"},
                   {"step p99 ms"},
                   {"peak MB"},
                   {"engine", Align::left},
                   {"instructions", Align::left}});
  for (const ComparedMethod& method : comparison.methods) {
    const EvaluationSummary& e = method.outcome.evaluation;
    if (!method.outcome.succeeded) {
      table.add_row({method.outcome.name, "failed"});
      continue;
    }
    table.add_row({method.outcome.name, trial_time(e.timing),
                   fmt::format("{:.1f}", e.timing.wall_ms_per_trial()),
                   fmt::format("{:.4f}", e.timing.real_time_factor()),
                   e.step ? fmt::format("{:.3f}", e.step->work.p50_ms) : "-",
                   e.step ? fmt::format("{:.3f}", e.step->work.p99_ms) : "-", megabytes(e.peak_memory_bytes), e.engine,
                   e.instructions});
  }
  return table;
}

std::vector<std::string> facts(const Comparison& comparison) {
  std::vector<std::string> lines;
  if (const EvaluationSummary* any = comparison.any_evaluation()) {
    double seconds = 0;
    for (const TrialScore& trial : any->trials) seconds += kSecondsPerBin * static_cast<double>(trial.bins);
    lines.push_back(
        fmt::format("{} trials ({}), {:.0f} s of signal{}", any->trials.size(), comparison.eval_type, seconds,
                    comparison.for_testing ? "; for testing: --sessions or --max_trials left trials out" : ""));
    lines.push_back(fmt::format("{}, {} of {} cores used; brainquant {}, LibTorch {}", any->machine.cpu, any->threads,
                                any->machine.cores, comparison.tool_version, any->machine.libtorch_version));
    lines.push_back("checkpoint " + any->model.source_sha256);
    if (any->model.val_per) lines.push_back(training_per_text(*any->model.val_per));
    if (!any->language_model.empty()) lines.push_back("sentences by " + any->language_model);
  }
  for (const ComparedMethod& method : comparison.methods) {
    const double core_share = method.outcome.evaluation.timing.core_share;
    if (method.outcome.succeeded && core_share < kLeastCoreShare) {
      lines.push_back(fmt::format("{}: the machine was busy, its times are too long: a core for only {:.0f} % of them",
                                  method.outcome.name, 100 * core_share));
    }
    if (!method.outcome.succeeded)
      lines.push_back(fmt::format("{} failed: {}", method.outcome.name, method.outcome.problem));
  }
  return lines;
}

std::string examples_markdown(const Comparison& comparison) {
  std::string text;
  for (const ComparedMethod& method : comparison.methods) {
    if (method.outcome.evaluation.worst_sentences.empty()) continue;
    text += "\n" + method.outcome.name + ":\n\n```\n";
    for (const SentenceExample& example : method.outcome.evaluation.worst_sentences) text += example_text(example);
    text += "```\n";
  }
  return text.empty() ? "" : "\n## Sentences with the most wrong words\n" + text;
}

}  // namespace

std::string comparison_text(const Comparison& comparison) {
  std::string text = accuracy_table(comparison).text() + "\n" + cost_table(comparison).text() + "\n";
  for (const std::string& line : facts(comparison)) text += line + "\n";
  return text;
}

std::string comparison_markdown(const Comparison& comparison) {
  std::string text = "# Quantization methods compared\n\n";
  for (const std::string& line : facts(comparison)) text += "- " + line + "\n";
  text += "\n## Size and accuracy\n\n" + accuracy_table(comparison).markdown();
  text +=
      "\nMB are 10^6 bytes on disk (fp32: 4 bytes for each parameter); ratio is fp32's bytes by the method's. PER "
      "drops blanks before "
      "merging repeats, PER ctc merges first. The interval is a paired bootstrap over trials (10,000 resamples). "
      "logits dB is "
      "10 log10 of the signal's energy by the difference's against fp32; argmax % are the steps whose best class is "
      "fp32's.\n";
  text += "\n## Cost\n\n" + cost_table(comparison).markdown();
  text +=
      "\nms/trial is the decoder alone, median and 10 % to 90 % quantile over the trials, wall ms/trial the whole pipeline. The real time factor is seconds in the "
      "decoder for each second "
      "of signal. A step is the work from one output to the next when bins come one by one. Each method ran in a "
      "process of its "
      "own; peak MB is the most memory that its evaluation had resident.\n";
  text += examples_markdown(comparison);
  return text;
}

std::string experiment_line(const MethodOutcome& outcome) {
  if (!outcome.succeeded) return fmt::format("{}: failed: {}", outcome.name, outcome.problem);
  const EvaluationSummary& e = outcome.evaluation;
  const double ratio = static_cast<double>(e.model.fp32_bytes) / static_cast<double>(e.model.bytes);
  std::string line =
      fmt::format("{}: {} MB ({:.2f}x smaller than fp32)", outcome.name, megabytes(e.model.bytes), ratio);
  if (e.per) line += fmt::format(", PER {:.2f} % (ctc {:.2f} %)", e.per->total.rate(), e.per_ctc->total.rate());
  if (e.wer) line += fmt::format(", WER {:.2f} %", e.wer->total.rate());
  line += fmt::format(", {} trials, {} ms/trial", e.trials.size(), trial_time(e.timing));
  if (e.step) line += fmt::format(", step p50 {:.3f} ms p99 {:.3f} ms", e.step->work.p50_ms, e.step->work.p99_ms);
  return line;
}

}  // namespace brainquant
