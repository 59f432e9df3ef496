#include "reporting/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

MetricValue rate(const std::optional<GroupedErrorRate>& rate) {
  return rate ? MetricValue(rate->total.rate()) : MetricValue();
}

MetricValue part(const std::optional<RateDifference>& difference, double RateDifference::*member) {
  return difference ? MetricValue((*difference).*member) : MetricValue();
}

MetricValue over_sessions(const std::optional<RateDifference>& difference, double Interval::*member) {
  return difference && difference->over_sessions ? MetricValue((*difference->over_sessions).*member) : MetricValue();
}

MetricValue verdict(const std::optional<RateDifference>& difference, const ComparedMethod& method) {
  if (!difference) return {};
  return verdict_text(verdict_of(*difference), method.outcome.evaluation.trials.size());
}

MetricValue part(const std::optional<LmScales>& scales, double LmScales::*member) {
  return scales ? MetricValue((*scales).*member) : MetricValue();
}

MetricValue own_scale(const ComparedMethod& method, double LmScales::*member) {
  const auto& own = method.outcome.own_scales;
  return own ? part(own->lm_scales, member) : MetricValue();
}

MetricValue disagreement(const ComparedMethod& method) {
  if (!method.per_difference || !method.wer_difference) return {};
  if (!method.per_and_wer_disagree()) return "none";
  return clear_side_of(*method.per_difference) == Verdict::better ? "PER better, WER worse" : "PER worse, WER better";
}

MetricValue part(const std::optional<LogitsDifference>& logits, double LogitsDifference::*member) {
  return logits ? MetricValue((*logits).*member) : MetricValue();
}

MetricValue part(const std::optional<StepReport>& step, double LatencySummary::*member) {
  return step ? MetricValue(step->work.*member) : MetricValue();
}

const EvaluationSummary& evaluation(const ComparedMethod& method) { return method.outcome.evaluation; }

const TimingReport& timing(const ComparedMethod& method) { return evaluation(method).timing; }

// Places leave room between columns.
std::vector<Metric> make_metrics() {
  using M = const ComparedMethod&;
  return {
      {.key = "bytes",
       .unit = "bytes",
       .better = Better::lower,
       .value = [](M m) { return evaluation(m).model.bytes; },
       .table = MetricTable::accuracy,
       .place = 10,
       .title = "MB",
       .in_papers = true,
       .form = "{:.1f}",
       .divisor = kBytesPerMegabyte,
       .note = "MB are 10^6 bytes on disk (fp32: 4 bytes for each parameter).",
       .in_line = "{} MB"},
      {.key = "compression_ratio",
       .unit = "",
       .better = Better::higher,
       .value = [](M m) { return evaluation(m).model.compression(); },
       .table = MetricTable::accuracy,
       .place = 20,
       .title = "ratio",
       .least = true,
       .form = "{:.2f}",
       .note = "The ratio is fp32's bytes by the method's.",
       .in_line = " ({}x smaller than fp32)"},
      {.key = "per",
       .unit = "%",
       .better = Better::lower,
       .value = [](M m) { return rate(evaluation(m).per); },
       .table = MetricTable::accuracy,
       .applies = MetricApplies::with_truth,
       .place = 30,
       .title = "PER %",
       .in_papers = true,
       .form = "{:.2f}",
       .note = "PER drops blanks before merging repeats, PER ctc merges first.",
       .in_line = ", PER {} %"},
      {.key = "per_ctc",
       .unit = "%",
       .better = Better::lower,
       .value = [](M m) { return rate(evaluation(m).per_ctc); },
       .table = MetricTable::accuracy,
       .applies = MetricApplies::with_truth,
       .place = 50,
       .title = "PER ctc %",
       .least = true,
       .form = "{:.2f}",
       .in_line = " (ctc {} %)"},
      {.key = "per_difference",
       .unit = "points",
       .better = Better::lower,
       .value = [](M m) { return part(m.per_difference, &RateDifference::difference); },
       .table = MetricTable::accuracy,
       .applies = MetricApplies::with_truth,
       .place = 40,
       .title = "PER - fp32 [95 %]",
       .in_papers = true,
       .form = "{:+.2f}",
       .low = "per_low",
       .high = "per_high",
       .note = "The interval is a paired bootstrap over trials (10,000 resamples)."},
      {.key = "per_low", .unit = "points", .value = [](M m) { return part(m.per_difference, &RateDifference::low); }},
      {.key = "per_high", .unit = "points", .value = [](M m) { return part(m.per_difference, &RateDifference::high); }},
      {.key = "wer",
       .unit = "%",
       .better = Better::lower,
       .value = [](M m) { return rate(evaluation(m).wer); },
       .table = MetricTable::accuracy,
       .applies = MetricApplies::with_words,
       .place = 60,
       .title = "WER %",
       .in_papers = true,
       .form = "{:.2f}",
       .in_line = ", WER {} %"},
      {.key = "wer_difference",
       .unit = "points",
       .better = Better::lower,
       .value = [](M m) { return part(m.wer_difference, &RateDifference::difference); },
       .table = MetricTable::accuracy,
       .applies = MetricApplies::with_words,
       .place = 70,
       .title = "WER - fp32 [95 %]",
       .in_papers = true,
       .form = "{:+.2f}",
       .low = "wer_low",
       .high = "wer_high"},
      {.key = "wer_low", .unit = "points", .value = [](M m) { return part(m.wer_difference, &RateDifference::low); }},
      {.key = "wer_high", .unit = "points", .value = [](M m) { return part(m.wer_difference, &RateDifference::high); }},
      {.key = "logits_sqnr_db",
       .unit = "dB",
       .better = Better::higher,
       .value = [](M m) { return part(m.logits, &LogitsDifference::sqnr_db); },
       .table = MetricTable::accuracy,
       .place = 80,
       .title = "logits dB",
       .in_papers = true,
       .form = "{:.1f}",
       .infinite = "equal",
       .note = "logits dB is 10 log10 of the signal's energy by the difference's against fp32."},
      {.key = "argmax_agreement_percent",
       .unit = "%",
       .better = Better::higher,
       .value = [](M m) { return part(m.logits, &LogitsDifference::agreement_percent); },
       .table = MetricTable::accuracy,
       .place = 90,
       .title = "argmax %",
       .least = true,
       .form = "{:.2f}",
       .note = "argmax % are the steps whose best class is fp32's."},
      {.key = "model_ms_per_trial",
       .unit = "ms",
       .better = Better::lower,
       .value = [](M m) { return timing(m).model_ms_per_trial(); }},
      {.key = "wall_ms_per_trial",
       .unit = "ms",
       .better = Better::lower,
       .value = [](M m) { return timing(m).wall_ms_per_trial(); },
       .table = MetricTable::cost,
       .place = 20,
       .title = "wall ms/trial",
       .least = true,
       .form = "{:.1f}"},
      {.key = "real_time_factor",
       .unit = "",
       .better = Better::lower,
       .value = [](M m) { return timing(m).real_time_factor(); },
       .table = MetricTable::cost,
       .place = 30,
       .title = "real time factor",
       .least = true,
       .form = "{:.4f}",
       .note = "The real time factor is seconds in the decoder for each second of signal."},
      {.key = "step_p50_ms",
       .unit = "ms",
       .better = Better::lower,
       .value = [](M m) { return part(evaluation(m).step, &LatencySummary::p50_ms); },
       .table = MetricTable::cost,
       .place = 40,
       .title = "step p50 ms",
       .form = "{:.3f}",
       .note = "A step is the work from one output to the next when bins come one by one.",
       .in_line = ", step p50 {} ms"},
      {.key = "step_p99_ms",
       .unit = "ms",
       .better = Better::lower,
       .value = [](M m) { return part(evaluation(m).step, &LatencySummary::p99_ms); },
       .table = MetricTable::cost,
       .place = 50,
       .title = "step p99 ms",
       .form = "{:.3f}",
       .in_line = " p99 {} ms"},
      {.key = "step_max_ms",
       .unit = "ms",
       .better = Better::lower,
       .value = [](M m) { return part(evaluation(m).step, &LatencySummary::max_ms); }},
      {.key = "peak_memory_bytes",
       .unit = "bytes",
       .better = Better::lower,
       .value = [](M m) { return evaluation(m).peak_memory_bytes; },
       .table = MetricTable::cost,
       .place = 60,
       .title = "peak MB",
       .least = true,
       .form = "{:.1f}",
       .divisor = kBytesPerMegabyte,
       .note = "Each method ran in a process of its own; peak MB is the most memory that its evaluation had resident."},
      {.key = "engine",
       .unit = "",
       .value = [](M m) { return evaluation(m).engine; },
       .table = MetricTable::cost,
       .place = 70,
       .title = "engine",
       .align = TextTable::Align::left,
       .least = true},
      {.key = "instructions",
       .unit = "",
       .value = [](M m) { return evaluation(m).instructions; },
       .table = MetricTable::cost,
       .place = 80,
       .title = "instructions",
       .align = TextTable::Align::left,
       .least = true},
      {.key = "threads", .unit = "", .value = [](M m) { return std::int64_t{evaluation(m).threads}; }},
      {.key = "model_ms_p10", .unit = "ms", .value = [](M m) { return timing(m).model_ms_p10; }},
      {.key = "model_ms_p50",
       .unit = "ms",
       .better = Better::lower,
       .value = [](M m) { return timing(m).model_ms_p50; },
       .table = MetricTable::cost,
       .place = 10,
       .title = "ms/trial [10-90 %]",
       .in_papers = true,
       .form = "{:.1f}",
       .low = "model_ms_p10",
       .high = "model_ms_p90",
       .note =
           "ms/trial is the decoder alone, median and 10 % to 90 % quantile over the trials, wall ms/trial the whole "
           "pipeline.",
       .in_line = ", {} ms/trial"},
      {.key = "model_ms_p90", .unit = "ms", .value = [](M m) { return timing(m).model_ms_p90; }},
      {.key = "core_share", .unit = "", .better = Better::higher, .value = [](M m) { return timing(m).core_share; }},
      {.key = "per_sessions_low",
       .unit = "points",
       .value = [](M m) { return over_sessions(m.per_difference, &Interval::low); },
       .table = MetricTable::sureness,
       .applies = MetricApplies::with_truth,
       .place = 10,
       .title = "PER - fp32 by sessions",
       .least = true,
       .form = "{:+.2f}",
       .high = "per_sessions_high",
       .note = "By sessions: the 95 % interval when each resample draws whole sessions with all their trials."},
      {.key = "per_sessions_high",
       .unit = "points",
       .value = [](M m) { return over_sessions(m.per_difference, &Interval::high); }},
      {.key = "per_better_probability",
       .unit = "",
       .better = Better::higher,
       .value = [](M m) { return part(m.per_difference, &RateDifference::better_probability); },
       .table = MetricTable::sureness,
       .applies = MetricApplies::with_truth,
       .place = 20,
       .title = "P(PER better)",
       .least = true,
       .form = "{:.3f}",
       .note = "P(better) is the share of the resamples over trials that are better than fp32 (ties count half)."},
      {.key = "per_verdict",
       .unit = "",
       .value = [](M m) { return verdict(m.per_difference, m); },
       .table = MetricTable::sureness,
       .applies = MetricApplies::with_truth,
       .place = 30,
       .title = "PER",
       .align = TextTable::Align::left,
       .note = "A method is better or worse if the wider of both intervals excludes 0."},
      {.key = "wer_sessions_low",
       .unit = "points",
       .value = [](M m) { return over_sessions(m.wer_difference, &Interval::low); },
       .table = MetricTable::sureness,
       .applies = MetricApplies::with_words,
       .place = 40,
       .title = "WER - fp32 by sessions",
       .least = true,
       .form = "{:+.2f}",
       .high = "wer_sessions_high"},
      {.key = "wer_sessions_high",
       .unit = "points",
       .value = [](M m) { return over_sessions(m.wer_difference, &Interval::high); }},
      {.key = "wer_better_probability",
       .unit = "",
       .better = Better::higher,
       .value = [](M m) { return part(m.wer_difference, &RateDifference::better_probability); },
       .table = MetricTable::sureness,
       .applies = MetricApplies::with_words,
       .place = 50,
       .title = "P(WER better)",
       .least = true,
       .form = "{:.3f}"},
      {.key = "wer_verdict",
       .unit = "",
       .value = [](M m) { return verdict(m.wer_difference, m); },
       .table = MetricTable::sureness,
       .applies = MetricApplies::with_words,
       .place = 60,
       .title = "WER",
       .align = TextTable::Align::left},
      {.key = "per_wer_disagreement", .unit = "", .value = disagreement},
      {.key = "acoustic_scale",
       .unit = "",
       .value = [](M m) { return part(evaluation(m).lm_scales, &LmScales::acoustic_scale); }},
      {.key = "blank_penalty",
       .unit = "",
       .value = [](M m) { return part(evaluation(m).lm_scales, &LmScales::blank_penalty); }},
      {.key = "wer_own_scales",
       .unit = "%",
       .better = Better::lower,
       .value = [](M m) { return m.outcome.own_scales ? rate(m.outcome.own_scales->wer) : MetricValue(); },
       .table = MetricTable::accuracy,
       .applies = MetricApplies::with_own_scales,
       .place = 75,
       .title = "WER % own scales",
       .form = "{:.2f}",
       .note = "WER own scales is with language-model scales tuned for the method; all else is with fp32's."},
      {.key = "own_acoustic_scale", .unit = "", .value = [](M m) { return own_scale(m, &LmScales::acoustic_scale); }},
      {.key = "own_blank_penalty", .unit = "", .value = [](M m) { return own_scale(m, &LmScales::blank_penalty); }},
  };
}

bool applies(const Metric& metric, const Comparison& comparison) {
  switch (metric.applies) {
    case MetricApplies::always:
      return true;
    case MetricApplies::with_truth:
      return comparison.eval_type != "test";
    case MetricApplies::with_words: {
      const EvaluationSummary* any = comparison.any_evaluation();
      return any != nullptr && any->wer.has_value();
    }
    case MetricApplies::with_own_scales:
      return std::any_of(comparison.methods.begin(), comparison.methods.end(), [](const ComparedMethod& method) {
        return method.outcome.own_scales && method.outcome.own_scales->wer;
      });
  }
  return false;
}

std::string shown_number(const Metric& metric, double value) {
  if (std::isinf(value)) return metric.infinite;
  return fmt::format(fmt::runtime(metric.form), value / metric.divisor);
}

std::string shown_value(const Metric& metric, const MetricValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<double>(&value)) return shown_number(metric, *number);
  if (const auto* count = std::get_if<std::int64_t>(&value)) return shown_number(metric, static_cast<double>(*count));
  return "-";
}

const Metric& metric_named(const std::string& key, const std::vector<Metric>& metrics) {
  const auto found = std::find_if(metrics.begin(), metrics.end(), [&](const Metric& m) { return m.key == key; });
  if (found == metrics.end()) throw UsageError("no metric is called '" + key + "'");
  return *found;
}

}  // namespace

const char* name_of(Better better) {
  switch (better) {
    case Better::lower:
      return "lower";
    case Better::higher:
      return "higher";
    case Better::neither:
      return "neither";
  }
  return "";
}

const std::vector<Metric>& comparison_metrics() {
  static const std::vector<Metric> metrics = make_metrics();
  return metrics;
}

std::string verdict_text(Verdict verdict, std::size_t trials) {
  switch (verdict) {
    case Verdict::better:
      return "better";
    case Verdict::worse:
      return "worse";
    case Verdict::unclear:
      return fmt::format("can't tell with {} trials", trials);
  }
  return "";
}

bool was_measured(const Metric& metric, const ComparedMethod& method) {
  return !std::holds_alternative<std::monostate>(metric.value(method));
}

std::string shown(const Metric& metric, const ComparedMethod& method, const std::vector<Metric>& metrics) {
  const MetricValue value = metric.value(method);
  const std::string text = shown_value(metric, value);
  if (metric.high.empty() || std::holds_alternative<std::monostate>(value)) return text;
  const auto end = [&](const std::string& key) {
    return shown_value(metric, metric_named(key, metrics).value(method));
  };
  if (metric.low.empty()) return fmt::format("[{}, {}]", text, end(metric.high));
  return fmt::format("{} [{}, {}]", text, end(metric.low), end(metric.high));
}

std::vector<Metric> columns_of(MetricTable table, const Comparison& comparison, const std::vector<Metric>& metrics) {
  std::vector<Metric> columns;
  std::copy_if(metrics.begin(), metrics.end(), std::back_inserter(columns), [&](const Metric& metric) {
    // A single method has nothing to be compared with.
    const bool shown = comparison.methods.size() > 1 || was_measured(metric, comparison.methods.front());
    return metric.table == table && applies(metric, comparison) && shown;
  });
  std::stable_sort(columns.begin(), columns.end(), [](const Metric& a, const Metric& b) { return a.place < b.place; });
  return columns;
}

TextTable table_of(MetricTable which, const Comparison& comparison, const std::vector<Metric>& metrics) {
  const std::vector<Metric> columns = columns_of(which, comparison, metrics);
  std::vector<TextTable::Column> titles = {{"method", TextTable::Align::left}};
  for (const Metric& metric : columns) titles.push_back({metric.title, metric.align, metric.least});
  TextTable table(titles);
  for (const ComparedMethod& method : comparison.methods) {
    std::vector<std::string> cells = {method.outcome.name};
    if (method.outcome.succeeded) {
      for (const Metric& metric : columns) cells.push_back(shown(metric, method, metrics));
    } else {
      cells.push_back("failed");
    }
    table.add_row(std::move(cells));
  }
  return table;
}

std::string notes_of(MetricTable table, const Comparison& comparison, const std::vector<Metric>& metrics) {
  std::string notes;
  for (const Metric& metric : columns_of(table, comparison, metrics)) {
    if (!metric.note.empty()) notes += (notes.empty() ? "" : " ") + metric.note;
  }
  return notes;
}

bool has_columns(MetricTable table, const Comparison& comparison, const std::vector<Metric>& metrics) {
  return !columns_of(table, comparison, metrics).empty();
}

}  // namespace brainquant
