#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "brainquant/reporting/comparison_report.h"
#include "brainquant/reporting/evaluation_text.h"
#include "brainquant/support/error.h"
#include "io/csv.h"
#include "io/scratch_folder.h"
#include "reporting/metrics.h"
#include "reporting/small_logits.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

using testing::write_logits;

TEST(ExampleText, HandWorked) {
  const SentenceExample example{"s/trial_0003", {{"i", "i"}, {"", "knead"}, {"need", "the"}, {"water", ""}}};
  EXPECT_EQ(example_text(example),
            "s/trial_0003\n"
            "  true      i ***** NEED WATER\n"
            "  predicted i KNEAD THE  *****\n");
  EXPECT_EQ(example_text({"s/t", {{"yes", ""}, {"", "a"}}}), "s/t\n  true      YES *\n  predicted *** A\n");
}

TEST(LogitsDifference, IsTheHandWorkedCase) {
  const ScratchFolder scratch;
  // Signal 9 + 16 + 1 + 4 = 30, noise 1 + 0 + 0 + 4 = 5; the argmax of the second step changes.
  write_logits(scratch / "a.h5", {{3, 4}, {1, 2}, {}}, 2);
  write_logits(scratch / "b.h5", {{2, 4}, {1, 0}, {}}, 2);
  const LogitsDifference difference = compare_logits(scratch / "a.h5", scratch / "b.h5");
  EXPECT_EQ(difference.steps, 2);
  EXPECT_NEAR(difference.sqnr_db, 10 * std::log10(6.0), 1e-9);
  EXPECT_DOUBLE_EQ(difference.agreement_percent, 50);
  EXPECT_TRUE(std::isinf(compare_logits(scratch / "a.h5", scratch / "a.h5").sqnr_db));
}

TEST(LogitsDifference, OtherTrialsOrShapesAreRefused) {
  const ScratchFolder scratch;
  write_logits(scratch / "a.h5", {{3, 4}, {1, 2}}, 2);
  write_logits(scratch / "fewer.h5", {{3, 4}}, 2);
  write_logits(scratch / "longer.h5", {{3, 4}, {1, 2, 3, 4}}, 2);
  EXPECT_THROW(compare_logits(scratch / "a.h5", scratch / "fewer.h5"), FormatError);
  EXPECT_THROW(compare_logits(scratch / "a.h5", scratch / "longer.h5"), FormatError);
  EXPECT_THROW(compare_logits(scratch / "a.h5", scratch / "missing.h5"), FileError);
}

MethodOutcome outcome(const std::string& name, std::int64_t bytes, std::vector<std::int64_t> distances,
                      const fs::path& logits) {
  MethodOutcome result;
  result.name = name;
  result.succeeded = true;
  result.logits = logits;
  result.evaluation.model.method = name;
  result.evaluation.model.bytes = bytes;
  result.evaluation.model.fp32_bytes = 4'000'000;
  GroupedErrorRate per;
  for (std::size_t i = 0; i < distances.size(); ++i) {
    TrialScore score;
    score.label = "s/trial_" + std::to_string(i);
    score.distance = distances[i];
    score.true_length = 10;
    result.evaluation.trials.push_back(score);
    per.total.add(distances[i], 10);
  }
  result.evaluation.per = per;
  result.evaluation.per_ctc = per;
  return result;
}

class ComparisonTest : public ::testing::Test {
 protected:
  ComparisonTest() {
    write_logits(scratch_ / "a.h5", {{3, 4}, {1, 2}}, 2);
    write_logits(scratch_ / "b.h5", {{2, 4}, {1, 2}}, 2);
  }
  Comparison compare(std::vector<MethodOutcome> outcomes) {
    return compare_methods(std::move(outcomes), ExperimentOptions{});
  }

  ScratchFolder scratch_;
};

TEST_F(ComparisonTest, MethodsAreSetAgainstTheFirst) {
  MethodOutcome failed;
  failed.name = "static_qint8";
  failed.problem = "a|b, \"c\"";
  const Comparison comparison = compare({outcome("fp32", 4'000'000, {1, 1}, scratch_ / "a.h5"),
                                         outcome("dynamic_qint8", 1'000'000, {2, 1}, scratch_ / "b.h5"), failed});
  const ComparedMethod& method = comparison.methods[1];
  ASSERT_TRUE(method.per_difference.has_value());
  EXPECT_DOUBLE_EQ(method.per_difference->difference, 5);
  // Two trials with differences of 10 and 0 points: every resample gives 0, 5 or 10.
  EXPECT_DOUBLE_EQ(method.per_difference->low, 0);
  EXPECT_DOUBLE_EQ(method.per_difference->high, 10);
  EXPECT_DOUBLE_EQ(method.outcome.evaluation.model.compression(), 4);
  EXPECT_DOUBLE_EQ(method.logits->agreement_percent, 100);
  EXPECT_FALSE(comparison.all_succeeded());

  write_comparison(comparison, scratch_ / "out");
  const CsvTable csv(scratch_ / "out/comparison.csv");
  ASSERT_EQ(csv.rows().size(), 3U);
  EXPECT_EQ(csv.rows()[1].fields[csv.column("per_difference")], "5");
  EXPECT_EQ(csv.rows()[2].fields[csv.column("succeeded")], "no");
  EXPECT_EQ(csv.rows()[2].fields[csv.column("problem")], "a|b, \"c\"");
  const nlohmann::json json = nlohmann::json::parse(bytes_of(scratch_ / "out/comparison.json"));
  EXPECT_EQ(json["methods"][1]["per_difference"]["high"], 10);
  EXPECT_EQ(json["methods"][2]["succeeded"], false);
  EXPECT_TRUE(json["methods"][1]["changes"].is_null());  // these evaluations hold no texts
  EXPECT_NE(bytes_of(scratch_ / "out/comparison.md").find("+5.00 [+0.00, +10.00]"), std::string::npos);
  EXPECT_NE(comparison_text(comparison).find("static_qint8 failed: a|b"), std::string::npos);
}

std::vector<std::string> names_of(const std::vector<Method>& methods) {
  std::vector<std::string> names;
  for (const Method& method : methods) names.push_back(method.name());
  return names;
}

TEST(ChooseMethods, BySetOrNameEachOnceAndTheBaselineFirst) {
  using Names = std::vector<std::string>;
  const Names documented = {"fp32", "dynamic_qint8", "dynamic_float16", "static_qint8", "static_per_channel_qint8"};
  EXPECT_EQ(names_of(choose_methods({"documented"}, {})), documented);
  Names all = documented;
  all.insert(all.end(), {"dynamic_qint4", "static_per_channel_qint4"});
  EXPECT_EQ(names_of(choose_methods({"all"}, {})), all);
  EXPECT_EQ(names_of(choose_methods({"documented", "dynamic_qint4", "all"}, {})), all);
  EXPECT_EQ(names_of(choose_methods({"static_qint8", "dynamic_qint4", "static_qint8"}, {})),
            (Names{"fp32", "static_qint8", "dynamic_qint4"}));
  EXPECT_THROW(choose_methods({"fp16"}, {}), UsageError);
  QuantizationOptions common;
  common.observer = ObserverKind::histogram;
  common.weight_rounding = WeightRounding::gptq;
  common.gptq_samples = 8;
  for (const Method& method : choose_methods({"all"}, common)) {
    if (!method.quantization) continue;
    EXPECT_NO_THROW(method.quantization->validate()) << method.name();
    EXPECT_EQ(method.quantization->uses_gptq(), method.quantization->dtype != Dtype::float16) << method.name();
    EXPECT_EQ(method.quantization->observer.has_value(), method.quantization->is_static()) << method.name();
  }
}

TEST_F(ComparisonTest, OtherTrialsCantBeCompared) {
  MethodOutcome other = outcome("dynamic_qint8", 1, {2, 1}, scratch_ / "b.h5");
  other.evaluation.trials[1].label = "s/trial_9";
  EXPECT_THROW(compare({outcome("fp32", 4, {1, 1}, scratch_ / "a.h5"), other}), WorkError);
}

// Two methods with everything that can be measured, and one that failed. All numbers are exact in binary.
Comparison everything_measured() {
  MethodOutcome baseline = outcome("fp32", 4'000'000, {2, 2}, "");
  EvaluationSummary& e = baseline.evaluation;
  e.eval_type = "val";
  GroupedErrorRate rate;
  rate.total = {4, 16};
  e.per = e.per_ctc = rate;
  rate.total = {1, 8};
  e.wer = rate;
  e.lm_scales = LmScales{0.5, 8};
  e.engine = "libtorch";
  e.instructions = "avx2";
  e.threads = 2;
  e.peak_memory_bytes = 12'500'000;
  e.timing = {2, 8, 0.5, 1, 0.25, 1.5, 2.5, 3.5, 1};
  e.machine = {"a CPU", 4, "2.0"};
  e.model.source_sha256 = "aa";
  for (TrialScore& trial : e.trials) trial.bins = 50;
  MethodOutcome other = baseline;
  other.name = "dynamic_qint8";
  other.evaluation.model.bytes = 1'000'000;
  other.evaluation.step = StepReport{{3, 0.25, 0.5, 1}, {3, 0.25, 0.25, 0.25}, 80};
  other.own_scales = other.evaluation;
  other.own_scales->wer->total = {2, 8};
  other.own_scales->lm_scales = LmScales{0.25, 16};
  MethodOutcome failed;
  failed.name = "static_qint8";
  failed.problem = "no data";
  Comparison comparison;
  comparison.tool_version = "9.9";
  comparison.eval_type = "val";
  comparison.methods = {{baseline, {}, {}, {}},
                        {other, RateDifference{5, -1.25, 10, 0.125, Interval{-2.5, 12.5}},
                         RateDifference{-0.5, -1, 2, 0.75, Interval{-0.25, 0.25}}, LogitsDifference{3, 40.5, 99.5}},
                        {failed, {}, {}, {}}};
  return comparison;
}

// Single spaces, and neither rules nor empty lines.
std::string without_alignment(const std::string& text) {
  const std::string rows = std::regex_replace(text, std::regex("\n[- ]*-[- ]*(?=\n)"), "");
  return std::regex_replace(std::regex_replace(rows, std::regex(" +"), " "), std::regex("\n\n+"), "\n");
}

TEST(ComparisonReport, ColumnsAndValuesAreThoseWrittenOutByHand) {
  const Comparison comparison = everything_measured();
  EXPECT_EQ(comparison_csv(comparison),
            "method,succeeded,bytes,compression_ratio,per,per_ctc,per_difference,per_low,per_high,wer,wer_difference,"
            "wer_low,wer_high,logits_sqnr_db,argmax_agreement_percent,model_ms_per_trial,wall_ms_per_trial,"
            "real_time_factor,step_p50_ms,step_p99_ms,step_max_ms,peak_memory_bytes,engine,instructions,threads,"
            "model_ms_p10,model_ms_p50,model_ms_p90,core_share,per_sessions_low,per_sessions_high,"
            "per_better_probability,per_verdict,wer_sessions_low,wer_sessions_high,wer_better_probability,wer_verdict,"
            "per_wer_disagreement,acoustic_scale,blank_penalty,wer_own_scales,own_acoustic_scale,own_blank_penalty,"
            "problem\n"
            "fp32,yes,4000000,1,25,25,,,,12.5,,,,,,250,500,0.0625,,,,12500000,libtorch,avx2,2,1.5,2.5,3.5,1,"
            ",,,,,,,,,0.5,8,,,,\n"
            "dynamic_qint8,yes,1000000,4,25,25,5,-1.25,10,12.5,-0.5,-1,2,40.5,99.5,250,500,0.0625,0.25,0.5,1,"
            "12500000,libtorch,avx2,2,1.5,2.5,3.5,1,-2.5,12.5,0.125,can't tell with 2 trials,-0.25,0.25,0.75,"
            "can't tell with 2 trials,none,0.5,8,25,0.25,16,\n"
            "static_qint8,no,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,no data\n");
  const std::string text = comparison_text(comparison);
  EXPECT_EQ(
      without_alignment(text.substr(0, text.find("2 trials (val)"))),
      "method MB ratio PER % PER - fp32 [95 %] PER ctc % WER % WER - fp32 [95 %] WER % own scales logits dB argmax "
      "%\n"
      "fp32 4.0 1.00 25.00 - 25.00 12.50 - - - -\n"
      "dynamic_qint8 1.0 4.00 25.00 +5.00 [-1.25, +10.00] 25.00 12.50 -0.50 [-1.00, +2.00] 25.00 40.5 99.50\n"
      "static_qint8 failed\n"
      "method PER - fp32 by sessions P(PER better) PER WER - fp32 by sessions P(WER better) WER\n"
      "fp32 - - - - - -\n"
      "dynamic_qint8 [-2.50, +12.50] 0.125 can't tell with 2 trials [-0.25, +0.25] 0.750 can't tell with 2 trials\n"
      "static_qint8 failed\n"
      "method ms/trial [10-90 %] wall ms/trial real time factor step p50 ms step p99 ms peak MB engine instructions\n"
      "fp32 2.5 [1.5, 3.5] 500.0 0.0625 - - 12.5 libtorch avx2\n"
      "dynamic_qint8 2.5 [1.5, 3.5] 500.0 0.0625 0.250 0.500 12.5 libtorch avx2\n"
      "static_qint8 failed\n");
  const std::string markdown = comparison_markdown(comparison);
  EXPECT_NE(without_alignment(markdown).find("| method | MB | ratio | PER % | PER - fp32 [95 %] | PER ctc % |"),
            std::string::npos)
      << markdown;
  EXPECT_NE(without_alignment(markdown).find("| dynamic_qint8 | 1.0 | 4.00 | 25.00 | +5.00 [-1.25, +10.00] |"),
            std::string::npos)
      << markdown;
}

TEST(ComparisonReport, AMetricAddedToTheTableIsInEveryRendering) {
  const Comparison comparison = everything_measured();
  std::vector<Metric> metrics = comparison_metrics();
  metrics.push_back(
      {.key = "kept_bits",
       .unit = "bits",
       .better = Better::higher,
       .value = [](const ComparedMethod& m) -> MetricValue { return m.logits ? MetricValue(7.25) : MetricValue(); },
       .table = MetricTable::accuracy,
       .place = 25,
       .title = "kept bits",
       .form = "{:.1f}",
       .note = "Kept bits are bits that were kept."});
  const std::string text = without_alignment(comparison_text(comparison, metrics));
  EXPECT_NE(text.find("MB ratio kept bits PER %"), std::string::npos) << text;
  EXPECT_NE(text.find("fp32 4.0 1.00 - 25.00"), std::string::npos) << text;
  EXPECT_NE(text.find("dynamic_qint8 1.0 4.00 7.2 25.00"), std::string::npos) << text;
  const std::string markdown = without_alignment(comparison_markdown(comparison, metrics));
  EXPECT_NE(markdown.find("| ratio | kept bits | PER % |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("| 4.00 | 7.2 | 25.00 |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find(" Kept bits are bits that were kept. "), std::string::npos) << markdown;
  const ScratchFolder scratch;
  write_bytes(scratch / "c.csv", comparison_csv(comparison, metrics));
  const CsvTable csv(scratch / "c.csv");
  EXPECT_EQ(csv.rows()[0].fields[csv.column("kept_bits")], "");
  EXPECT_EQ(csv.rows()[1].fields[csv.column("kept_bits")], "7.25");
  const nlohmann::json json = nlohmann::json::parse(comparison_json(comparison, metrics));
  EXPECT_EQ(json["metrics"]["kept_bits"], (nlohmann::json{{"unit", "bits"}, {"better", "higher"}}));
  EXPECT_TRUE(json["methods"][0]["metrics"].at("kept_bits").is_null());
  EXPECT_EQ(json["methods"][1]["metrics"]["kept_bits"], 7.25);
  EXPECT_FALSE(json["methods"][2].contains("metrics"));
}

// A tabular's rows, each split into its cells.
std::vector<std::vector<std::string>> latex_rows(const std::string& latex) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(latex);
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with(" \\\\")) continue;
    rows.emplace_back();
    line = line.substr(0, line.size() - 3) + " & ";
    for (std::size_t at = 0, end = 0; (end = line.find(" & ", at)) != std::string::npos; at = end + 3) {
      rows.back().push_back(line.substr(at, end - at));
    }
  }
  return rows;
}

TEST(ComparisonReport, LatexIsTheTableWrittenOutByHand) {
  EXPECT_EQ(comparison_latex(everything_measured()),
            "% \\usepackage{booktabs}, then \\input this file: 2 trials (val), brainquant 9.9\n"
            "\\begin{tabular}{lrrrrrrr}\n"
            "\\toprule\n"
            "method & MB & PER \\% & PER - fp32 {[}95 \\%] & WER \\% & WER - fp32 {[}95 \\%] & logits dB & "
            "ms/trial {[}10-90 \\%] \\\\\n"
            "\\midrule\n"
            "fp32 & 4.0 & 25.00 & -- & 12.50 & -- & -- & 2.5 {[}1.5, 3.5] \\\\\n"
            "dynamic\\_qint8 & 1.0 & 25.00 & $+5.00$ {[}$-1.25$, $+10.00$] & 12.50 & $-0.50$ {[}$-1.00$, $+2.00$] & "
            "40.5 & 2.5 {[}1.5, 3.5] \\\\\n"
            "static\\_qint8 & failed &  &  &  &  &  &  \\\\\n"
            "\\bottomrule\n"
            "\\end{tabular}\n");
}

TEST_F(ComparisonTest, LatexHasTheFiguresOfJson) {
  const Comparison comparison = compare({outcome("fp32", 4'000'000, {1, 1}, scratch_ / "a.h5"),
                                         outcome("dynamic_qint8-a&b", 1'234'567, {2, 1}, scratch_ / "b.h5")});
  write_comparison(comparison, scratch_ / "out");
  const nlohmann::json json = nlohmann::json::parse(bytes_of(scratch_ / "out/comparison.json"));
  const auto rows = latex_rows(bytes_of(scratch_ / "out/comparison.tex"));
  ASSERT_EQ(rows.size(), 3U);
  ASSERT_EQ(rows[0].size(), 6U);  // no words
  EXPECT_EQ(rows[2][0], "dynamic\\_qint8-a\\&b");
  const auto numbers_in = [](const std::string& cell) {
    std::vector<double> numbers;
    const std::regex number("[+-]?[0-9]+\\.[0-9]+");
    for (std::sregex_iterator at(cell.begin(), cell.end(), number), end; at != end; ++at)
      numbers.push_back(std::stod(at->str()));
    return numbers;
  };
  for (std::size_t i = 0; i < 2; ++i) {
    const nlohmann::json& metrics = json["methods"][i]["metrics"];
    const auto expect_near = [&](std::size_t column, const std::vector<std::string>& keys, double divisor,
                                 double half) {
      const std::vector<double> numbers = numbers_in(rows[i + 1][column]);
      if (metrics[keys[0]].is_null()) {
        EXPECT_EQ(rows[i + 1][column], "--");
        return;
      }
      ASSERT_EQ(numbers.size(), keys.size()) << rows[i + 1][column];
      for (std::size_t k = 0; k < keys.size(); ++k) {
        EXPECT_NEAR(numbers[k], metrics[keys[k]].get<double>() / divisor, half + 1e-9) << keys[k];
      }
    };
    expect_near(1, {"bytes"}, 1e6, 0.05);
    expect_near(2, {"per"}, 1, 0.005);
    expect_near(3, {"per_difference", "per_low", "per_high"}, 1, 0.005);
    expect_near(4, {"logits_sqnr_db"}, 1, 0.05);
    expect_near(5, {"model_ms_p50", "model_ms_p10", "model_ms_p90"}, 1, 0.05);
  }
}

TEST(ComparisonReport, JsonHoldsEveryMetric) {
  const nlohmann::json json = nlohmann::json::parse(comparison_json(everything_measured()));
  const nlohmann::json& metrics = json["methods"][1]["metrics"];
  EXPECT_EQ(metrics.size(), comparison_metrics().size());
  EXPECT_EQ(metrics["bytes"], 1'000'000);
  EXPECT_EQ(metrics["per_low"], -1.25);
  EXPECT_EQ(metrics["engine"], "libtorch");
  EXPECT_EQ(json["metrics"]["bytes"], (nlohmann::json{{"unit", "bytes"}, {"better", "lower"}}));
  EXPECT_EQ(json["metrics"]["engine"], (nlohmann::json{{"unit", nullptr}, {"better", "neither"}}));
  EXPECT_TRUE(json["methods"][0]["metrics"]["per_low"].is_null());
}

// Whole evaluations: two sessions of two trials, 100 phonemes and 20 words each.
MethodOutcome scored(const std::string& name, const std::vector<std::int64_t>& distances,
                     const std::vector<std::int64_t>& word_distances, const fs::path& logits) {
  MethodOutcome result = outcome(name, 1, distances, logits);
  for (std::size_t i = 0; i < distances.size(); ++i) {
    TrialScore& trial = result.evaluation.trials[i];
    trial.label = (i < 2 ? "a/trial_" : "b/trial_") + std::to_string(i);
    trial.true_length = 100;
    trial.true_words = 20;
    trial.word_distance = word_distances[i];
  }
  result.evaluation.wer = GroupedErrorRate{};
  return result;
}

TEST_F(ComparisonTest, SaysWhetherAMethodIsWorseAndWherePerAndWerDisagree) {
  const Comparison comparison = compare({scored("fp32", {9, 9, 9, 9}, {4, 4, 4, 4}, scratch_ / "a.h5"),
                                         scored("opposed", {8, 8, 8, 8}, {4, 5, 5, 5}, scratch_ / "b.h5"),
                                         scored("unclear", {8, 8, 9, 9}, {4, 4, 4, 4}, scratch_ / "b.h5")});
  const ComparedMethod& opposed = comparison.methods[1];
  EXPECT_TRUE(opposed.per_and_wer_disagree());
  EXPECT_FALSE(comparison.methods[2].per_and_wer_disagree());
  // WER, 1 word of 20 being 5 points: sessions differ by 1 of 40 words and by 2 of 40.
  EXPECT_EQ(opposed.wer_difference->over_sessions->low, 2.5);
  EXPECT_EQ(opposed.wer_difference->over_sessions->high, 5);
  // PER: one session is better by a point, the other is the same.
  EXPECT_EQ(comparison.methods[2].per_difference->over_sessions->low, -1);
  EXPECT_EQ(comparison.methods[2].per_difference->over_sessions->high, 0);
  const std::string warning =
      "warning: opposed: PER and WER disagree: PER is clearly better by 1.00 points, WER clearly worse by 3.75 points "
      "(at least 0.1 points and 90 % of the resamples)";
  EXPECT_NE(comparison_text(comparison).find("\n" + warning), std::string::npos) << comparison_text(comparison);
  EXPECT_NE(comparison_markdown(comparison).find("\n- " + warning), std::string::npos);
  EXPECT_EQ(comparison_text(comparison).find("unclear: PER and"), std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(comparison_json(comparison));
  EXPECT_EQ(json["methods"][1]["per_difference"]["verdict"], "better");
  EXPECT_EQ(json["methods"][1]["per_difference"]["better_probability"], 1);
  EXPECT_EQ(json["methods"][1]["wer_difference"]["over_sessions"], (nlohmann::json{{"low", 2.5}, {"high", 5}}));
  EXPECT_EQ(json["methods"][1]["wer_difference"]["verdict"], "worse");
  EXPECT_EQ(json["methods"][1]["per_and_wer_disagree"], true);
  EXPECT_EQ(json["methods"][1]["metrics"]["per_wer_disagreement"], "PER better, WER worse");
  EXPECT_EQ(json["methods"][2]["per_difference"]["verdict"], "can't tell with 4 trials");
  EXPECT_EQ(json["methods"][2]["metrics"]["per_wer_disagreement"], "none");
}

TEST(ComparisonReport, WithoutTruthThereAreNoErrorRates) {
  Comparison comparison = everything_measured();
  comparison.eval_type = "test";
  for (ComparedMethod& method : comparison.methods) {
    method.outcome.evaluation.per.reset();
    method.outcome.evaluation.per_ctc.reset();
    method.outcome.evaluation.wer.reset();
    method.outcome.own_scales.reset();
    method.per_difference.reset();
    method.wer_difference.reset();
  }
  const std::string text = without_alignment(comparison_text(comparison));
  EXPECT_EQ(text.substr(0, text.find('\n')), "method MB ratio logits dB argmax %");
  EXPECT_EQ(text.find("by sessions"), std::string::npos);
  EXPECT_EQ(comparison_markdown(comparison).find("## Better or worse"), std::string::npos);
}

TEST(ComparisonReport, EqualLogitsHaveNoNumberOfDecibels) {
  Comparison comparison = everything_measured();
  comparison.methods[1].logits = LogitsDifference{3, std::numeric_limits<double>::infinity(), 100};
  EXPECT_NE(comparison_text(comparison).find("equal    100.00"), std::string::npos);
  EXPECT_NE(comparison_csv(comparison).find(",inf,100,"), std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(comparison_json(comparison));
  EXPECT_TRUE(json["methods"][1]["logits"]["sqnr_db"].is_null());
  EXPECT_EQ(json["methods"][1]["logits"]["equal"], true);
  EXPECT_TRUE(json["methods"][1]["metrics"]["logits_sqnr_db"].is_null());
}

TEST(ExperimentLine, IsTheHandWrittenOne) {
  const Comparison comparison = everything_measured();
  EXPECT_EQ(experiment_line(comparison.methods[1].outcome),
            "dynamic_qint8: 1.0 MB (4.00x smaller than fp32), PER 25.00 % (ctc 25.00 %), WER 12.50 %, 2 trials, "
            "2.5 [1.5, 3.5] ms/trial, step p50 0.250 ms p99 0.500 ms");
  EXPECT_EQ(experiment_line(comparison.methods[2].outcome), "static_qint8: failed: no data");
}

TEST(Times, SayTheirSpreadAndABusyMachine) {
  EvaluationSummary summary;
  summary.timing = {4, 60, 0.4, 0.6, 0.1, 90, 101, 112, 0.62};
  const std::string busy = evaluation_text(summary);
  EXPECT_NE(busy.find("median 101.00, 10 to 90 % of the trials 90.00 to 112.00"), std::string::npos) << busy;
  EXPECT_NE(busy.find("a core for only 62 % of that time"), std::string::npos) << busy;
  summary.timing.core_share = 0.97;
  EXPECT_EQ(evaluation_text(summary).find("had a core"), std::string::npos);
}

TEST(TrainingPer, SaysHowFarItCanBeCompared) {
  const std::string text = training_per_text(0.099);
  EXPECT_NE(text.find("9.90 %"), std::string::npos);
  EXPECT_NE(text.find("only roughly comparable"), std::string::npos);
}

}  // namespace
}  // namespace brainquant
