#include "brainquant/reporting/comparison_report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "brainquant/io/csv.h"
#include "brainquant/io/hdf5_logits.h"
#include "brainquant/reporting/evaluation_text.h"
#include "brainquant/reporting/text_table.h"
#include "brainquant/support/error.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

void write_logits(const fs::path& path, const std::vector<std::vector<float>>& trials, std::int64_t classes) {
  LogitsFileWriter writer(path);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const auto steps = static_cast<std::int64_t>(trials[i].size()) / classes;
    writer.write(
        {"s", "trial_" + std::to_string(i), 1, static_cast<std::int64_t>(i), steps, classes, trials[i].data()});
  }
  writer.flush();
}

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
  EXPECT_DOUBLE_EQ(method.compression(), 4);
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
  EXPECT_NE(bytes_of(scratch_ / "out/comparison.md").find("+5.00 [+0.00, +10.00]"), std::string::npos);
  EXPECT_NE(comparison_text(comparison).find("static_qint8 failed: a|b"), std::string::npos);
}

TEST_F(ComparisonTest, OtherTrialsCantBeCompared) {
  MethodOutcome other = outcome("dynamic_qint8", 1, {2, 1}, scratch_ / "b.h5");
  other.evaluation.trials[1].label = "s/trial_9";
  EXPECT_THROW(compare({outcome("fp32", 4, {1, 1}, scratch_ / "a.h5"), other}), WorkError);
}

TEST(Times, SayTheirSpreadAndABusyMachine) {
  EvaluationSummary summary;
  summary.timing = {4, 60, 0.4, 0.6, 0.1, 90, 101, 112, 0.62};
  const std::string busy = evaluation_text(summary);
  EXPECT_NE(busy.find("median 101.00, 10 to 90 % of the trials 90.00 to 112.00"), std::string::npos) << busy;
  EXPECT_NE(busy.find("a core for only 62 % of that time"), std::string::npos) << busy;
  summary.timing.core_share = 0.97;
  EXPECT_EQ(evaluation_text(summary).find("busy"), std::string::npos);
}

TEST(TrainingPer, SaysHowFarItCanBeCompared) {
  const std::string text = training_per_text(0.099);
  EXPECT_NE(text.find("9.90 %"), std::string::npos);
  EXPECT_NE(text.find("only roughly comparable"), std::string::npos);
}

TEST(TextTable, AlignsAndEscapes) {
  TextTable table({{"name", TextTable::Align::left}, {"value"}});
  table.add_row({"a|b", "1"});
  table.add_row({"na\xc3\xafve", "1234567"});
  EXPECT_EQ(table.text(), "name     value\n-----  -------\na|b          1\nna\xc3\xafve  1234567\n");
  EXPECT_EQ(table.markdown(),
            "| name  |   value |\n| :---- | ------: |\n| a\\|b  |       1 |\n| na\xc3\xafve | 1234567 |\n");
}

}  // namespace
}  // namespace brainquant
