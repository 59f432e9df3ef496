#include "evaluation/results_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "io/csv.h"
#include "scoring/phonemes.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

std::vector<std::string> identification(const TrialResult& trial) {
  return {trial.session, std::to_string(trial.block), std::to_string(trial.trial_num)};
}

}  // namespace

std::string phonemes_csv(std::span<const TrialResult> trials, Split split) {
  const bool labelled = split != Split::test;
  std::vector<std::string> header = {"session", "block", "trial", "pred_phonemes"};
  if (labelled) header.push_back("true_phonemes");
  std::string text = csv_row(header);
  for (const TrialResult& trial : trials) {
    std::vector<std::string> fields = identification(trial);
    fields.push_back(phoneme_text(trial.phonemes));
    if (labelled) fields.push_back(phoneme_text(trial.true_phonemes));
    text += csv_row(fields);
  }
  return text;
}

std::string sentences_csv(std::span<const TrialResult> trials, Split split) {
  const bool labelled = split != Split::test;
  std::vector<std::string> header = {"session", "block", "trial", "true_sentence", "pred_sentence"};
  if (labelled) header.insert(header.end(), {"edit_distance", "num_words"});
  std::string text = csv_row(header);
  for (const TrialResult& trial : trials) {
    std::vector<std::string> fields = identification(trial);
    fields.push_back(trial.true_sentence);
    fields.push_back(trial.sentence.value_or(""));
    if (labelled) {
      fields.push_back(std::to_string(trial.word_edits().distance()));
      fields.push_back(std::to_string(trial.true_words()));
    }
    text += csv_row(fields);
  }
  return text;
}

std::string trials_csv(std::span<const TrialResult> trials, Split split, bool with_words) {
  std::string text = csv_row({"session", "block", "trial", "corpus", "bins", "steps", "true_length", "pred_length",
                              "distance", "distance_ctc", "true_words", "word_distance", "true_phonemes",
                              "pred_phonemes", "true_sentence", "sentence", "sentence_margin", "model_ms"});
  const bool labelled = split != Split::test;
  for (const TrialResult& trial : trials) {
    std::vector<std::string> fields = identification(trial);
    const auto add_if = [&fields](bool known, const auto& value) {
      fields.push_back(known ? fmt::format("{}", value) : std::string());
    };
    add_if(true, trial.corpus);
    add_if(true, trial.bins);
    add_if(true, trial.steps);
    add_if(labelled, trial.true_phonemes.size());
    add_if(true, trial.phonemes.size());
    add_if(labelled, trial.phoneme_edits().distance());
    add_if(labelled, trial.phoneme_edits_ctc().distance());
    add_if(labelled, trial.true_words());
    add_if(labelled && with_words, trial.word_edits().distance());
    add_if(labelled, phoneme_text(trial.true_phonemes));
    add_if(true, phoneme_text(trial.phonemes));
    add_if(labelled, trial.true_sentence);
    add_if(with_words, trial.sentence.value_or(""));
    add_if(with_words && trial.sentence_margin, trial.sentence_margin.value_or(0));
    add_if(trial.steps > 0 && !trial.resumed, 1e3 * trial.model_seconds);
    text += csv_row(fields);
  }
  return text;
}

std::string nbest_lines(std::span<const TrialResult> trials) {
  std::string text;
  for (const TrialResult& trial : trials) {
    ordered_json line = {{"label", trial.label()}, {"candidates", ordered_json::array()}};
    for (const SentenceCandidate& candidate : trial.candidates.value_or(std::vector<SentenceCandidate>())) {
      line["candidates"].push_back({{"sentence", candidate.sentence},
                                    {"acoustic", candidate.acoustic},
                                    {"ngram", candidate.ngram},
                                    {"total", candidate.total}});
    }
    text += line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  }
  return text;
}

std::string submission_csv(std::span<const TrialResult> trials) {
  std::string text = csv_row({"id", "text"});
  for (std::size_t id = 0; id < trials.size(); ++id) {
    text += csv_row({std::to_string(id), trials[id].sentence.value_or("")});
  }
  return text;
}

}  // namespace brainquant
