#include "brainquant/reporting/evaluation_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reporting/text_table.h"

namespace brainquant {

namespace {

using Align = TextTable::Align;

std::string upper_case(std::string word) {
  for (char& c : word) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return word;
}

std::string edits_text(const EditCounts& edits) {
  return fmt::format("{} substituted, {} deleted, {} inserted", edits.substitutions, edits.deletions, edits.insertions);
}

std::string rates_text(const EvaluationSummary& summary) {
  if (!summary.per) return "";
  const bool words = summary.wer.has_value();
  std::vector<TextTable::Column> columns = {{"group", Align::left}, {"phonemes"}, {"PER %"}, {"PER ctc %"}};
  if (words) columns.insert(columns.end(), {{"words"}, {"WER %"}});
  TextTable table(columns);
  const auto add = [&](const std::string& name, const ErrorRate& per, const ErrorRate& ctc, const ErrorRate& wer) {
    table.add_row({name, std::to_string(per.length), fmt::format("{:.2f}", per.rate()),
                   fmt::format("{:.2f}", ctc.rate()), std::to_string(wer.length), fmt::format("{:.2f}", wer.rate())});
  };
  const GroupedErrorRate none;
  const GroupedErrorRate& wer = words ? *summary.wer : none;
  const auto of = [](const std::map<std::string, ErrorRate>& groups, const std::string& name) {
    const auto found = groups.find(name);
    return found == groups.end() ? ErrorRate{} : found->second;
  };
  for (const auto& [name, rate] : summary.per->sessions) {
    add(name, rate, of(summary.per_ctc->sessions, name), of(wer.sessions, name));
  }
  for (const auto& [name, rate] : summary.per->corpora) {
    add("corpus " + name, rate, of(summary.per_ctc->corpora, name), of(wer.corpora, name));
  }
  add("total", summary.per->total, summary.per_ctc->total, wer.total);
  std::string text = table.text() + "\n";
  text += fmt::format("PER {:.2f} % ({}); textbook CTC {:.2f} %", summary.per->total.rate(),
                      edits_text(summary.per->edits), summary.per_ctc->total.rate());
  if (summary.model.val_per) text += "; " + training_per_text(*summary.model.val_per);
  text += "\n";
  if (words) text += fmt::format("WER {:.2f} % ({})\n", wer.total.rate(), edits_text(wer.edits));
  for (const SentenceExample& example : summary.worst_sentences) text += example_text(example);
  return text;
}

// What --tune_lm tried: a row for each acoustic scale, a column for each blank penalty.
std::string tuning_text(const EvaluationSummary& summary) {
  if (!summary.lm_tuning || !summary.lm_scales) return "";
  const LmTuning& tuning = *summary.lm_tuning;
  std::set<double> acoustic, blank;
  for (const TriedScales& tried : tuning.tried) {
    acoustic.insert(tried.acoustic_scale);
    blank.insert(tried.blank_penalty);
  }
  std::vector<TextTable::Column> columns = {{"WER %, acoustic_scale", Align::left}};
  for (const double b : blank) columns.push_back({fmt::format("penalty {}", b)});
  TextTable table(columns);
  for (const double a : acoustic) {
    std::vector<std::string> cells = {fmt::format("{}", a)};
    for (const double b : blank) {
      const auto tried = std::find_if(tuning.tried.begin(), tuning.tried.end(), [&](const TriedScales& one) {
        return one.acoustic_scale == a && one.blank_penalty == b;
      });
      cells.push_back(tried == tuning.tried.end() ? "" : fmt::format("{:.2f}", tuning.wer(*tried)));
    }
    table.add_row(std::move(cells));
  }
  return table.text() + tuned_text(summary) + "\n\n";
}

std::string latency_text(const char* name, const LatencySummary& latency, double budget_ms) {
  return fmt::format(
      "{}: p50 {:.3f} ms, p99 {:.3f} ms, worst {:.3f} ms of {} steps ({:.1f} % of the {:.0f} ms budget at worst)\n",
      name, latency.p50_ms, latency.p99_ms, latency.max_ms, latency.count, 100.0 * latency.max_ms / budget_ms,
      budget_ms);
}

}  // namespace

std::string tuned_text(const EvaluationSummary& summary) {
  return fmt::format("language model tuned for {} on {} trials of train: acoustic_scale {}, blank_penalty {}",
                     summary.model.method, summary.lm_tuning->trials.size(), summary.lm_scales->acoustic_scale,
                     summary.lm_scales->blank_penalty);
}

std::string training_per_text(double val_per) {
  return fmt::format(
      "the training run measured {:.2f} % (ctc), only roughly comparable: it smooths with padding 'same', the "
      "evaluator "
      "with 'valid'",
      100 * val_per);
}

std::string aligned_text(const std::vector<AlignedWords>& words, const std::string& first, const std::string& second) {
  const std::size_t name_width = std::max(first.size(), second.size());
  std::string above = fmt::format("  {:<{}}", first, name_width);
  std::string below = fmt::format("  {:<{}}", second, name_width);
  for (const AlignedWords& column : words) {
    const std::size_t width = std::max(column.truth.size(), column.prediction.size());
    const bool wrong = column.truth != column.prediction;
    const auto cell = [&](const std::string& word) {
      return fmt::format(" {:<{}}", word.empty() ? std::string(width, '*') : wrong ? upper_case(word) : word, width);
    };
    above += cell(column.truth);
    below += cell(column.prediction);
  }
  const auto trimmed = [](std::string line) { return line.erase(line.find_last_not_of(' ') + 1); };
  return trimmed(above) + "\n" + trimmed(below) + "\n";
}

std::string example_text(const SentenceExample& example) {
  return example.label + "\n" + aligned_text(example.words, "true", "predicted");
}

std::string evaluation_text(const EvaluationSummary& summary) {
  std::string text = tuning_text(summary) + rates_text(summary);
  text += fmt::format("{} ({:.1f} MB), {} trials of {}{}{}\n", summary.model.method,
                      static_cast<double>(summary.model.bytes) / 1e6, summary.trials.size(), summary.eval_type,
                      summary.too_short > 0 ? fmt::format(", {} too short for one step", summary.too_short) : "",
                      summary.for_testing ? "; for testing: trials were left out" : "");
  const TimingReport& t = summary.timing;
  text += fmt::format(
      "{:.2f} ms a trial in the decoder (median {:.2f}, 10 to 90 % of the trials {:.2f} to {:.2f}), {:.2f} ms in all; "
      "real time factor {:.5f}; model opened in {:.2f} s",
      t.model_ms_per_trial(), t.model_ms_p50, t.model_ms_p10, t.model_ms_p90, t.wall_ms_per_trial(),
      t.real_time_factor(), t.load_seconds);
  if (summary.resumed > 0) text += fmt::format("; {} trials were finished by an earlier run", summary.resumed);
  text += "\n";
  if (t.core_share < kLeastCoreShare) {
    text += fmt::format(
        "the decoder had a core for only {:.0f} % of that time: other work on the same cores makes its times too "
        "long\n",
        100 * t.core_share);
  }
  if (summary.step) {
    text += latency_text("a step's work", summary.step->work, summary.step->budget_ms);
    text += latency_text("last bin to logits", summary.step->last_bin, summary.step->budget_ms);
  }
  if (!summary.language_model.empty() && !summary.trials.empty()) {
    text += fmt::format("sentences by {}: {:.1f} ms a trial\n", summary.language_model,
                        1e3 * summary.language_model_seconds / static_cast<double>(summary.trials.size()));
  }
  text += fmt::format("engine {} ({}), {} threads, {}; peak memory {:.0f} MB\n", summary.engine, summary.instructions,
                      summary.threads, summary.machine.cpu, static_cast<double>(summary.peak_memory_bytes) / 1e6);
  return text;
}

}  // namespace brainquant
