// Scores, result files and latency summaries against cases worked by hand.
#include <gtest/gtest.h>

#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/support/error.h"
#include "evaluation/latency.h"
#include "evaluation/results_files.h"
#include "evaluation/scores.h"
#include "io/scratch_folder.h"
#include "scoring/quantile.h"

namespace brainquant {
namespace {

TrialResult trial(const std::string& session, const std::string& corpus, std::vector<int> truth,
                  std::vector<int> predicted, std::vector<int> predicted_ctc) {
  TrialResult result;
  result.session = session;
  result.corpus = corpus;
  result.block = 3;
  result.trial_num = 7;
  result.true_phonemes = std::move(truth);
  result.phonemes = std::move(predicted);
  result.phonemes_ctc = std::move(predicted_ctc);
  return result;
}

// a: 1 substitution of 3. b: 1 deletion and nothing else of 2; ctc exact. c: 2 insertions of 1.
std::vector<TrialResult> trials() {
  return {trial("s1", "x", {1, 2, 3}, {1, 9, 3}, {1, 9, 3}), trial("s1", "y", {5, 5}, {5}, {5, 5}),
          trial("s2", "x", {4}, {4, 40, 1}, {4, 40, 1})};
}

TEST(Scores, SumsDistancesAndLengthsByGroup) {
  const GroupedErrorRate per = phoneme_error_rate(trials());
  EXPECT_DOUBLE_EQ(per.total.rate(), 100.0 * 4 / 6);
  EXPECT_EQ(per.edits.substitutions, 1);
  EXPECT_EQ(per.edits.deletions, 1);
  EXPECT_EQ(per.edits.insertions, 2);
  EXPECT_DOUBLE_EQ(per.sessions.at("s1").rate(), 40.0);
  EXPECT_DOUBLE_EQ(per.sessions.at("s2").rate(), 200.0);
  EXPECT_DOUBLE_EQ(per.corpora.at("x").rate(), 75.0);
  EXPECT_DOUBLE_EQ(per.corpora.at("y").rate(), 50.0);
  EXPECT_DOUBLE_EQ(phoneme_error_rate_ctc(trials()).total.rate(), 50.0);
}

TEST(Scores, WordsAreThoseOfTheNormalisedSentences) {
  std::vector<TrialResult> all = trials();
  all[0].true_sentence = "It's  FINE -- really.";
  all[0].sentence = "it's fine, really";
  all[1].true_sentence = "one two three";
  all[2].true_sentence = "";
  all[2].sentence = "uh";
  // "it's fine - really" against "it's fine really": 1 of 4; no sentence at all: 3 of 3; 1 insertion of 0.
  const GroupedErrorRate wer = word_error_rate(all);
  EXPECT_EQ(wer.total.distance, 5);
  EXPECT_EQ(wer.total.length, 7);
  EXPECT_EQ(wer.edits.deletions, 4);
  EXPECT_EQ(wer.edits.insertions, 1);
}

TEST(Scores, WorstSentencesFirst) {
  std::vector<TrialResult> all = trials();
  for (std::size_t i = 0; i < all.size(); ++i) all[i].name = "trial_" + std::to_string(i);
  all[0].true_sentence = "One two.", all[0].sentence = "one too";
  all[1].true_sentence = "yes", all[1].sentence = "yes";
  all[2].true_sentence = "a b c", all[2].sentence = "c";
  const std::vector<SentenceExample> worst = worst_sentences(all, 3);
  ASSERT_EQ(worst.size(), 2U);
  EXPECT_EQ(worst[0].label, "s2/trial_2");
  ASSERT_EQ(worst[0].words.size(), 3U);
  EXPECT_EQ(worst[0].words[1].truth, "b");
  EXPECT_EQ(worst[0].words[1].prediction, "");
  EXPECT_EQ(worst[1].label, "s1/trial_0");
  EXPECT_EQ(worst_sentences(all, 1).size(), 1U);
}

TEST(ResultsFiles, FieldsAreQuotedByRfc4180AndRowsEndWithLf) {
  std::vector<TrialResult> all = trials();
  all.resize(2);
  all[0].true_sentence = "No, \"thanks\"";
  all[0].sentence = "no thanks";
  all[1].true_sentence = "Two";
  EXPECT_EQ(phonemes_csv(all, Split::val),
            "session,block,trial,pred_phonemes,true_phonemes\ns1,3,7,AA D AH,AA AE AH\ns1,3,7,AW,AW AW\n");
  EXPECT_EQ(phonemes_csv(all, Split::test), "session,block,trial,pred_phonemes\ns1,3,7,AA D AH\ns1,3,7,AW\n");
  EXPECT_EQ(sentences_csv(all, Split::val),
            "session,block,trial,true_sentence,pred_sentence,edit_distance,num_words\n"
            "s1,3,7,\"No, \"\"thanks\"\"\",no thanks,0,2\ns1,3,7,Two,,1,1\n");
  EXPECT_EQ(sentences_csv(all, Split::test),
            "session,block,trial,true_sentence,pred_sentence\ns1,3,7,\"No, \"\"thanks\"\"\",no thanks\ns1,3,7,Two,\n");
  EXPECT_EQ(submission_csv(all), "id,text\n0,no thanks\n1,\n");
}

TEST(ResultsFiles, ARowForEachTrialHoldsWhatIsKnown) {
  std::vector<TrialResult> all = trials();
  all[0].true_sentence = "No, \"thanks\"";
  all[0].sentence = "no thank";
  all[0].sentence_margin = 0.25;
  all[0].bins = 100;
  all[0].steps = 20;
  all[0].model_seconds = 0.0015;
  all[1].true_sentence = "Two";
  all[1].steps = 5;
  all[1].model_seconds = 0.5;
  all[1].resumed = true;
  const std::string header =
      "session,block,trial,corpus,bins,steps,true_length,pred_length,distance,distance_ctc,true_words,word_distance,"
      "true_phonemes,pred_phonemes,true_sentence,sentence,sentence_margin,model_ms\n";
  EXPECT_EQ(trials_csv(all, Split::val, true),
            header +
                "s1,3,7,x,100,20,3,3,1,1,2,1,AA AE AH,AA D AH,\"No, \"\"thanks\"\"\",no thank,0.25,1.5\n"
                "s1,3,7,y,0,5,2,1,1,0,1,1,AW AW,AW,Two,,,\n"
                "s2,3,7,x,0,0,1,3,2,2,0,0,AO,AO | AA,,,,\n");
  EXPECT_EQ(trials_csv({all.data(), 1}, Split::val, false),
            header + "s1,3,7,x,100,20,3,3,1,1,2,,AA AE AH,AA D AH,\"No, \"\"thanks\"\"\",,,1.5\n");
  EXPECT_EQ(trials_csv({all.data(), 1}, Split::test, true),
            header + "s1,3,7,x,100,20,,3,,,,,,AA D AH,,no thank,0.25,1.5\n");
}

TEST(ResultsFiles, ALineOfCandidatesForEachTrial) {
  std::vector<TrialResult> all = trials();
  all.resize(2);
  all[0].name = "trial_0000";
  all[0].candidates = {{"so \"it\" is", -0.5, -1.25, 0, -1.75}, {"caf\xe9", -3, 0, 0, -3}};
  all[1].name = "trial_0001";
  EXPECT_EQ(nbest_lines(all),
            "{\"label\":\"s1/trial_0000\",\"candidates\":["
            "{\"sentence\":\"so \\\"it\\\" is\",\"acoustic\":-0.5,\"ngram\":-1.25,\"total\":-1.75},"
            "{\"sentence\":\"caf\xef\xbf\xbd\",\"acoustic\":-3.0,\"ngram\":0.0,\"total\":-3.0}]}\n"
            "{\"label\":\"s1/trial_0001\",\"candidates\":[]}\n");
}

TEST(Latency, QuantilesAreNumpys) {
  // numpy.quantile([4, 1, 3, 2], [0, 0.5, 0.99, 1]) = [1, 2.5, 3.97, 4]
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.99), 3.97);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.99), 7);
  EXPECT_EQ(quantile({}, 0.5), 0);
  const LatencySummary summary = summarize_seconds({0.001, 0.002, 0.009});
  EXPECT_EQ(summary.count, 3);
  EXPECT_DOUBLE_EQ(summary.p50_ms, 2);
  EXPECT_DOUBLE_EQ(summary.max_ms, 9);
}

TEST(Latency, HistogramIsTheHandWorkedCase) {
  EXPECT_TRUE(latency_histogram({}).empty());
  // 1, 1.1 and 1.2 ms: the bins' edges are 1, 1.122, 1.259 (10^(1/20), 10^(2/20)); an edge belongs to the bin above it.
  const std::vector<LatencyBin> bins = latency_histogram({0.001, 0.0011, 0.0012});
  ASSERT_EQ(bins.size(), 2U);
  EXPECT_DOUBLE_EQ(bins[0].from_ms, 1);
  EXPECT_NEAR(bins[0].to_ms, 1.122018, 1e-6);
  EXPECT_EQ(bins[0].count, 2);
  EXPECT_NEAR(bins[1].to_ms, 1.258925, 1e-6);
  EXPECT_EQ(bins[1].count, 1);
  // Every bin from the first to the last is there: 1 ms and 10 ms are 20 bins apart.
  const std::vector<LatencyBin> wide = latency_histogram({0.010, 0.001});
  ASSERT_EQ(wide.size(), 21U);
  EXPECT_EQ(wide[0].count + wide[20].count, 2);
  EXPECT_DOUBLE_EQ(wide[20].from_ms, 10);
  EXPECT_EQ(latency_histogram({0}).size(), 1U);  // a clock that did not move
}

TEST(Latency, LateStepsAreThoseOverTheBudget) {
  const StepReport report = report_steps({{0.079, 0.080, 0.081, 0.2}, {0.001}}, 80);
  EXPECT_EQ(report.late, 2);
  EXPECT_EQ(report.work.count, 4);
  EXPECT_EQ(report.last_bin.count, 1);
  EXPECT_EQ(report.histogram.back().count, 1);
}

TEST(SummaryJson, WhatIsWrittenIsRead) {
  EvaluationSummary summary;
  summary.tool_version = "9.9";
  summary.model.method = "static_qint8";
  summary.model.path = "m/\"odd\".pt";
  summary.model.bytes = 10;
  summary.model.val_per = 0.25;
  summary.model.quantization.emplace();
  summary.model.quantization->quantization_type = QuantizationType::static_per_tensor;
  summary.model.quantization->observer = ObserverKind::histogram;
  summary.model.quantization->calibration_samples = 7;
  summary.model.calibration_trials = {"s1/trial_0000"};
  summary.model.calibration_sha256 = "cc";
  summary.run_key.set("threads", "2");
  summary.options = {{"batch_size", std::int64_t{8}},
                     {"streaming", false},
                     {"sessions", std::vector<std::string>{"a"}},
                     {"beam", OptionValue()},
                     {"lm_timeout", 0.5}};
  summary.per = phoneme_error_rate(trials());
  summary.per_ctc = phoneme_error_rate_ctc(trials());
  summary.step = StepReport{{3, 1, 2, 3}, {3, 0.5, 0.6, 0.7}, 80};
  summary.timing = {3, 60, 0.3, 0.6, 0.1, 90, 100, 110, 0.95};
  summary.trials = {{"s1/trial_0000", "x", 100, 20, 3, 1, 1, 2, 0}};
  summary.worst_sentences = {{"s1/trial_0000", {{"yes", ""}, {"", "no"}}}};
  const ScratchFolder scratch;
  write_bytes(scratch / "a.json", evaluation_json(summary));
  const EvaluationSummary read = read_evaluation_json(scratch / "a.json");
  EXPECT_EQ(evaluation_json(read), evaluation_json(summary));
  EXPECT_EQ(read.options, summary.options);
  EXPECT_EQ(read.model.quantization->variant_name(), "static_qint8-histogram-n7");
  EXPECT_FALSE(read.run_key.difference(summary.run_key).has_value());
  EXPECT_DOUBLE_EQ(read.timing.core_share, 0.95);
  EXPECT_DOUBLE_EQ(read.timing.model_ms_per_trial(), 100);
  EXPECT_DOUBLE_EQ(read.timing.real_time_factor(), 0.005);
  EXPECT_EQ(read.trials[0].true_length, 3);
  EXPECT_FALSE(read.wer.has_value());
  EXPECT_EQ(read.worst_sentences.at(0).words.at(1).prediction, "no");
}

TEST(SummaryJson, OtherFilesAreRefused) {
  const ScratchFolder scratch;
  std::string json = evaluation_json({});
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string("{}"), std::string(R"({"schema":"other"})"),
        json.replace(json.find("\"schema_version\": 1"), 19, "\"schema_version\": 2")}) {
    write_bytes(scratch / "a.json", bad);
    EXPECT_THROW(read_evaluation_json(scratch / "a.json"), FormatError) << bad;
  }
  EXPECT_THROW(read_evaluation_json(scratch / "missing.json"), FileError);
}

}  // namespace
}  // namespace brainquant
