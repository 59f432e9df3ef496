#include "reporting/changes_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "brainquant/reporting/comparison_report.h"
#include "brainquant/reporting/evaluation_text.h"
#include "reporting/text_table.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

constexpr std::size_t kConfusionsInLine = 5;
constexpr std::size_t kMostRows = 50;  // of a table in Markdown

const char* name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::equal:
      return "equal";
    case ChangeKind::substituted:
      return "substituted";
    case ChangeKind::deleted:
      return "deleted";
    case ChangeKind::inserted:
      return "inserted";
  }
  return "";
}

const char* name_of(ChangeEffect effect) {
  switch (effect) {
    case ChangeEffect::none:
      return "none";
    case ChangeEffect::added:
      return "added";
    case ChangeEffect::removed:
      return "removed";
  }
  return "";
}

template <typename Key>
std::int64_t times(const std::pair<Key, ChangeCounts>& entry) {
  return entry.second.count;
}
template <typename Key>
std::int64_t times(const std::pair<Key, WordChanges>& entry) {
  return entry.second.count();
}

/// The most frequent first, equals in the map's order.
template <typename Key, typename Counts>
std::vector<std::pair<Key, Counts>> by_frequency(const std::map<Key, Counts>& counts) {
  std::vector<std::pair<Key, Counts>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return times(a) > times(b); });
  return sorted;
}

std::string token_text(const std::string& token) { return token.empty() ? "-" : token; }

// Of what was counted without a truth.
std::string effect_cell(bool truth_known, std::int64_t count) { return truth_known ? std::to_string(count) : "-"; }

TextTable words_table(const MethodChanges& changes) {
  TextTable table({{"word", TextTable::Align::left}, {"lost"}, {"gained"}, {"errors added"}, {"errors removed"}});
  for (const auto& [word, counts] : by_frequency(changes.words)) {
    table.add_row({word, std::to_string(counts.lost.count), std::to_string(counts.gained.count),
                   effect_cell(changes.truth_known, counts.lost.added + counts.gained.added),
                   effect_cell(changes.truth_known, counts.lost.removed + counts.gained.removed)});
    if (table.rows() == kMostRows) break;
  }
  return table;
}

TextTable phonemes_table(const MethodChanges& changes) {
  TextTable table({{"fp32", TextTable::Align::left},
                   {"method", TextTable::Align::left},
                   {"times"},
                   {"errors added"},
                   {"errors removed"}});
  for (const auto& [phonemes, counts] : by_frequency(changes.phonemes)) {
    table.add_row({token_text(phonemes.first), token_text(phonemes.second), std::to_string(counts.count),
                   effect_cell(changes.truth_known, counts.added), effect_cell(changes.truth_known, counts.removed)});
    if (table.rows() == kMostRows) break;
  }
  return table;
}

std::string table_markdown(const TextTable& table, std::size_t all) {
  const std::string more =
      all > table.rows() ? fmt::format("\n{} more are in comparison.json.\n", all - table.rows()) : "";
  return "\n" + table.markdown() + more;
}

std::string trial_text(const ChangedTrial& trial, const std::string& method) {
  std::string text;
  if (trial.words_differ) {
    std::vector<AlignedWords> columns;
    for (const TokenChange& word : trial.words) columns.push_back({word.before, word.after});
    text = aligned_text(columns, "fp32", method);
  } else if (!trial.words.empty()) {
    text = "  the same words\n";
  }
  std::string phonemes;
  for (const TokenChange& phoneme : trial.phonemes) {
    if (phoneme.kind() == ChangeKind::equal) continue;
    phonemes += (phonemes.empty() ? "" : ", ") + change_text(phoneme.before, phoneme.after);
    if (phoneme.effect != ChangeEffect::none) phonemes += fmt::format(" (error {})", name_of(phoneme.effect));
  }
  if (!phonemes.empty()) text += "  phonemes " + phonemes + "\n";
  if (const auto& flip = trial.widest_flip) {
    text += fmt::format("  at step {} {}, fp32's margin {:.3f} nats\n", flip->step,
                        change_text(flip->before, flip->after), flip->margin);
  }
  if (trial.words_differ && trial.sentence_margin) {
    text += fmt::format("  fp32's sentence scored {:.3f} above its second one\n", *trial.sentence_margin);
  }
  const std::string truth = trial.true_sentence.empty() ? "" : "  true: " + trial.true_sentence + "\n";
  return trial.label + "\n" + truth + text;
}

std::string method_markdown(const ComparedMethod& method) {
  const std::string& name = method.outcome.name;
  std::string text = fmt::format("\n## {}\n\n", name);
  if (!method.outcome.succeeded) return text + "failed\n";
  if (!method.changes) return text + "not known: fp32 or the method has no results of this version\n";
  const MethodChanges& changes = *method.changes;
  text += changes_line(method) + "\n";
  if (!changes.words.empty()) text += table_markdown(words_table(changes), changes.words.size());
  if (!changes.phonemes.empty()) text += table_markdown(phonemes_table(changes), changes.phonemes.size());
  if (changes.listed.empty()) return text;
  text += "\n```\n";
  for (const ChangedTrial& trial : changes.listed) text += trial_text(trial, name);
  return text + "```\n";
}

ordered_json json_of(const std::string& token) { return token.empty() ? ordered_json(nullptr) : ordered_json(token); }

// null without a truth.
ordered_json effect_count(const MethodChanges& changes, std::int64_t count) {
  return changes.truth_known ? ordered_json(count) : ordered_json(nullptr);
}

ordered_json json_of(const TokenChange& change, bool truth_known) {
  return {{"kind", name_of(change.kind())},
          {"fp32", json_of(change.before)},
          {"method", json_of(change.after)},
          {"effect", truth_known ? ordered_json(name_of(change.effect)) : ordered_json(nullptr)}};
}

ordered_json json_of(const ChangedTrial& trial, bool truth_known) {
  ordered_json json = {{"label", trial.label}, {"true_sentence", json_of(trial.true_sentence)}};
  json["words"] = ordered_json::array();
  for (const TokenChange& word : trial.words) json["words"].push_back(json_of(word, truth_known));
  json["phonemes"] = ordered_json::array();
  for (const TokenChange& phoneme : trial.phonemes) {
    if (phoneme.kind() != ChangeKind::equal) json["phonemes"].push_back(json_of(phoneme, truth_known));
  }
  json["widest_flip"] = nullptr;
  if (const auto& flip = trial.widest_flip) {
    json["widest_flip"] = {
        {"step", flip->step}, {"fp32", flip->before}, {"method", flip->after}, {"margin", flip->margin}};
  }
  json["sentence_margin"] = trial.sentence_margin ? ordered_json(*trial.sentence_margin) : ordered_json(nullptr);
  return json;
}

}  // namespace

std::string change_text(const std::string& before, const std::string& after) {
  return token_text(before) + " > " + token_text(after);
}

std::string changes_line(const ComparedMethod& method) {
  const MethodChanges& changes = *method.changes;
  std::string text = fmt::format("{}: ", method.outcome.name);
  if (changes.words_differ) {
    text += fmt::format("{} of {} sentences differ from fp32's, the phonemes of {}", *changes.words_differ,
                        changes.trials, changes.phonemes_differ);
  } else {
    text +=
        fmt::format("the phonemes of {} of {} sentences differ from fp32's", changes.phonemes_differ, changes.trials);
  }
  const auto confusions = by_frequency(changes.phonemes);
  for (std::size_t i = 0; i < std::min(confusions.size(), kConfusionsInLine); ++i) {
    const auto& [phonemes, counts] = confusions[i];
    text += fmt::format("{} {} ({})", i == 0 ? "; most often" : ",", change_text(phonemes.first, phonemes.second),
                        counts.count);
  }
  return text;
}

ordered_json json_of(const std::optional<MethodChanges>& found) {
  if (!found) return nullptr;
  const MethodChanges& changes = *found;
  ordered_json json = {
      {"trials", changes.trials},
      {"words_differ", changes.words_differ ? ordered_json(*changes.words_differ) : ordered_json(nullptr)},
      {"phonemes_differ", changes.phonemes_differ},
      {"words", ordered_json::array()},
      {"phonemes", ordered_json::array()},
      {"listed", ordered_json::array()}};
  for (const auto& [word, counts] : by_frequency(changes.words)) {
    json["words"].push_back({{"word", word},
                             {"lost", counts.lost.count},
                             {"gained", counts.gained.count},
                             {"added", effect_count(changes, counts.lost.added + counts.gained.added)},
                             {"removed", effect_count(changes, counts.lost.removed + counts.gained.removed)}});
  }
  for (const auto& [phonemes, counts] : by_frequency(changes.phonemes)) {
    json["phonemes"].push_back({{"fp32", json_of(phonemes.first)},
                                {"method", json_of(phonemes.second)},
                                {"count", counts.count},
                                {"added", effect_count(changes, counts.added)},
                                {"removed", effect_count(changes, counts.removed)}});
  }
  for (const ChangedTrial& trial : changes.listed) json["listed"].push_back(json_of(trial, changes.truth_known));
  return json;
}

std::string comparison_changes_markdown(const Comparison& comparison) {
  std::string text =
      "# What changed against fp32\n\n"
      "Each method's words and phonemes, aligned with fp32's by the fewest edits; `-` stands for none. An error is "
      "added\nwhere fp32 is right and the method is not, and removed where it is the other way round; a change may do "
      "neither.\n";
  for (std::size_t i = 1; i < comparison.methods.size(); ++i) text += method_markdown(comparison.methods[i]);
  return text;
}

}  // namespace brainquant
