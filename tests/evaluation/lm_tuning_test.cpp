// --tune_lm against evaluations with each pair of the grid.
#include "evaluation/lm_tuning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "apps/study.h"
#include "brainquant/evaluation/evaluator.h"
#include "brainquant/reporting/evaluation_text.h"
#include "brainquant/support/error.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

using testing::study_folder;
using Pair = std::pair<double, double>;  // acoustic_scale, blank_penalty

// The val split of this data has the train split's recordings.
EvaluationOptions options_in(const ScratchFolder& scratch, const std::string& name) {
  EvaluationOptions options;
  options.model_path = study_folder() / "model";
  options.data.data_dir = study_folder() / "tuning";
  options.data.csv_path = study_folder() / "corpora.csv";
  options.engine.gpu_number = -1;
  options.engine.threads = 1;
  options.language_model.lm_dir = std::string(BRAINQUANT_FIXTURES) + "/wfst/case1";
  options.language_model.lm_preset = "published";
  options.language_model.beam = 8;
  options.output_csv = scratch / (name + ".csv");
  options.output_json = scratch / (name + ".json");
  return options;
}

std::set<Pair> pairs_around(const Pair& center, const std::vector<double>& a, const std::vector<double>& b) {
  const auto rounded = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return std::atof(text);
  };
  std::set<Pair> pairs;
  for (const double x : a) {
    for (const double y : b) pairs.insert({rounded(x * center.first), rounded(y * center.second)});
  }
  return pairs;
}

TEST(LmTuning, IsTheBestOfEvaluationsWithEachPair) {
  const ScratchFolder scratch;
  EvaluationOptions options = options_in(scratch, "tuned");
  options.language_model.tune_lm = 10;
  options.engine.threads = 2;
  const EvaluationSummary tuned = evaluate(options).summary;
  ASSERT_TRUE(tuned.lm_tuning.has_value());
  const LmTuning& tuning = *tuned.lm_tuning;
  // Ten trials of four sessions with five each: two or three of each.
  ASSERT_EQ(tuning.trials.size(), 10U);
  std::map<std::string, int> of_session;
  for (const std::string& label : tuning.trials) ++of_session[label.substr(0, label.find('/'))];
  EXPECT_EQ(of_session.size(), 4U);
  for (const auto& [session, count] : of_session) EXPECT_TRUE(count == 2 || count == 3) << session;

  // Every pair by itself; of which the fewest wrong words, then the nearest to the preset.
  const std::set<std::string> labels(tuning.trials.begin(), tuning.trials.end());
  const auto best_of = [&](const std::map<Pair, std::int64_t>& distances) {
    std::pair<std::pair<std::int64_t, double>, Pair> best{{1 << 20, 0}, {}};
    for (const auto& [pair, distance] : distances) {
      const double away =
          std::fabs(std::log(pair.first / 0.325) / std::log(2)) + std::fabs(std::log(pair.second / 90) / std::log(10));
      best = std::min(best, {{distance, away}, pair});
    }
    return best.second;
  };
  std::map<Pair, std::int64_t> distances;
  const auto add = [&](const std::set<Pair>& pairs) {
    for (const Pair& pair : pairs) {
      EvaluationOptions by_hand = options_in(scratch, "by_hand");
      by_hand.force = true;
      by_hand.language_model.acoustic_scale = pair.first;
      by_hand.language_model.blank_penalty = pair.second;
      const EvaluationSummary summary = evaluate(by_hand).summary;
      std::int64_t& distance = distances[pair] = 0;
      for (const TrialScore& trial : summary.trials) distance += labels.contains(trial.label) ? trial.word_distance : 0;
      EXPECT_EQ(summary.lm_scales->acoustic_scale, pair.first);
      EXPECT_FALSE(summary.lm_tuning.has_value());
    }
  };
  add(pairs_around({0.325, 90}, {0.5, 0.7, 1, 1.4, 2}, {0.1, 0.3, 1, 3, 10}));
  add(pairs_around(best_of(distances), {0.85, 1, 1.2}, {0.6, 1, 1.7}));
  std::map<Pair, std::int64_t> tried;
  for (const TriedScales& one : tuning.tried) tried[{one.acoustic_scale, one.blank_penalty}] = one.word_distance;
  EXPECT_EQ(tried, distances);
  std::set<std::int64_t> different;
  for (const auto& [pair, distance] : distances) different.insert(distance);
  EXPECT_GT(different.size(), 3U);  // there is something to be tuned
  const Pair best = best_of(distances);
  EXPECT_NE(best, Pair(0.325, 90));
  EXPECT_EQ(tuned.lm_scales->acoustic_scale, best.first);
  EXPECT_EQ(tuned.lm_scales->blank_penalty, best.second);

  // The results are those of the pair given, and a results file gives it.
  EvaluationOptions given = options_in(scratch, "given");
  given.language_model.lm_scales = scratch / "tuned.json";
  const EvaluationSummary again = evaluate(given).summary;
  EXPECT_EQ(bytes_of(scratch / "given.csv"), bytes_of(scratch / "tuned.csv"));
  EXPECT_EQ(again.lm_scales->blank_penalty, best.second);
  write_bytes(scratch / "plain.json", "{\"acoustic_scale\": 0.5, \"blank_penalty\": 20}");
  LanguageModelOptions plain = given.language_model;
  plain.lm_scales = scratch / "plain.json";
  EXPECT_EQ(plain.with_scales_read().acoustic_scale, 0.5);
  EXPECT_EQ(plain.with_scales_read().blank_penalty, 20);
  EXPECT_TRUE(plain.with_scales_read().lm_scales.empty());

  // What decides: the file's pair and not its name; the train split's data and the number of trials.
  LanguageModelOptions explicitly = options_in(scratch, "x").language_model.with(*tuned.lm_scales);
  EXPECT_EQ(again.run_key.value("language_model"), explicitly.fingerprint());
  EXPECT_NE(tuned.run_key.value("language_model").find("--tune_lm 10"), std::string::npos);
  EXPECT_NE(tuned.run_key.value("lm_tuning_data_fingerprint"), "");
  EXPECT_EQ(again.run_key.value("lm_tuning_data_fingerprint"), "");
  const EvaluationSummary read = read_evaluation_json(scratch / "tuned.json");
  EXPECT_EQ(evaluation_json(read), bytes_of(scratch / "tuned.json"));
  EXPECT_EQ(read.lm_tuning->trials, tuning.trials);
  const std::string text = evaluation_text(tuned);
  EXPECT_EQ(text.rfind("WER %, acoustic_scale", 0), 0U) << text;
  EXPECT_NE(text.find("language model tuned for fp32 on 10 trials of train: acoustic_scale "), std::string::npos)
      << text;
}

TEST(LmTuning, TiesGoToTheNearestToTheStart) {
  LmTuning tuning;
  tuning.tried = {{{0.15, 9}, 3}, {{0.3, 90}, 2}, {{0.42, 9}, 2}, {{0.6, 9}, 2}};
  EXPECT_EQ(best_scales(tuning, {0.3, 9}).acoustic_scale, 0.42);  // half an octave; the others are one step away
  EXPECT_EQ(best_scales(tuning, {0.3, 90}).acoustic_scale, 0.3);
}

TEST(LmTuning, WhatContradictsIsRefused) {
  const ScratchFolder scratch;
  const LanguageModelOptions plain = options_in(scratch, "x").language_model;
  const auto refused = [&](const auto& change) {
    LanguageModelOptions options = plain;
    change(options);
    EXPECT_THROW(options.validate(), UsageError);
  };
  EXPECT_NO_THROW(plain.validate());
  refused([](LanguageModelOptions& o) { o.tune_lm = 0; });
  refused([](LanguageModelOptions& o) { o.tune_lm = 3, o.acoustic_scale = 0.3; });
  refused([](LanguageModelOptions& o) { o.tune_lm = 3, o.blank_penalty = 9; });
  refused([](LanguageModelOptions& o) { o.lm_scales = "a.json", o.blank_penalty = 9; });
  refused([](LanguageModelOptions& o) { o.tune_lm = 3, o.lm_scales = "a.json"; });
  refused([](LanguageModelOptions& o) { o.lm = "redis", o.lm_dir.clear(), o.lm_preset.clear(), o.tune_lm = 3; });
  refused([](LanguageModelOptions& o) { o.lm = "redis", o.lm_dir.clear(), o.lm_preset.clear(), o.lm_scales = "a"; });
  EvaluationOptions train = options_in(scratch, "x");
  train.data.split = Split::train;
  train.language_model.tune_lm = 3;
  EXPECT_THROW(evaluate(train), UsageError);
}

TEST(LmTuning, FilesWithoutAPairAreRefused) {
  const ScratchFolder scratch;
  LanguageModelOptions options = options_in(scratch, "x").language_model;
  options.lm_scales = scratch / "s.json";
  EXPECT_THROW(options.with_scales_read(), FileError);
  for (const char* text :
       {"", "[]", "3", "{\"acoustic_scale\": 1}", "{\"acoustic_scale\": \"1\", \"blank_penalty\": 1}",
        "{\"acoustic_scale\": -1, \"blank_penalty\": 1}", "{\"schema\": \"brainquant/evaluation\"}",
        "{\"schema\": \"brainquant/evaluation\", \"lm_scales\": null}"}) {
    write_bytes(scratch / "s.json", text);
    EXPECT_THROW(options.with_scales_read(), FormatError) << text;
  }
}

}  // namespace
}  // namespace brainquant
