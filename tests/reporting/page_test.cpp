// Pieces of a page, by hand.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "brainquant/reporting/comparison_page.h"
#include "reporting/page/figures.h"
#include "reporting/page/findings.h"
#include "reporting/page/html.h"
#include "reporting/page/rates.h"

namespace brainquant {
namespace {

struct Counts {
  std::string session;
  std::string corpus;
  std::int64_t distance;
  std::int64_t length;
};

ComparedMethod method(const std::string& name, std::int64_t bytes, const std::vector<Counts>& trials) {
  ComparedMethod compared;
  MethodOutcome& outcome = compared.outcome;
  outcome.name = name;
  outcome.succeeded = true;
  outcome.evaluation.model.bytes = bytes;
  outcome.evaluation.model.fp32_bytes = 8'000'000;
  outcome.evaluation.per = GroupedErrorRate{};
  for (const Counts& counts : trials) {
    TrialScore trial;
    trial.label = counts.session + "/trial_" + std::to_string(outcome.evaluation.trials.size());
    trial.corpus = counts.corpus;
    trial.distance = counts.distance;
    trial.true_length = counts.length;
    outcome.evaluation.trials.push_back(trial);
    outcome.evaluation.per->total.add(counts.distance, counts.length);
  }
  return compared;
}

Comparison comparison(std::vector<ComparedMethod> methods) {
  Comparison all;
  all.eval_type = "val";
  all.methods = std::move(methods);
  for (std::size_t m = 1; m < all.methods.size(); ++m) {
    ComparedMethod& compared = all.methods[m];
    std::vector<PairedCounts> pairs;
    for (std::size_t i = 0; i < compared.outcome.evaluation.trials.size(); ++i) {
      const TrialScore& a = all.methods[0].outcome.evaluation.trials[i];
      pairs.push_back({a.distance, compared.outcome.evaluation.trials[i].distance, a.true_length});
    }
    compared.per_difference = paired_bootstrap(pairs);
  }
  return all;
}

std::string answer_to(const std::string& part, const Comparison& all) {
  for (const Finding& finding : findings_of(all, rates_of(all, RateKind::per))) {
    if (finding.question.find(part) != std::string::npos) return fmt::format("{}", fmt::join(finding.answers, " "));
  }
  return "";
}

TEST(Html, NothingOfTheDataIsMarkup) {
  EXPECT_EQ(html_escaped("<b a=\"1\">&'"), "&lt;b a=&quot;1&quot;&gt;&amp;'");
  // JSON cannot end its element, nor begin a comment in it, and says the same as before.
  const nlohmann::ordered_json data = {{"a", "</script><!-- x"}};
  const std::string element = html_json("id", "", data);
  const std::size_t begin = element.find('{');
  const std::string text = element.substr(begin, element.rfind('}') + 1 - begin);
  EXPECT_EQ(text.find('<'), std::string::npos) << text;
  EXPECT_EQ(nlohmann::ordered_json::parse(text), data);

  TextTable table({{"name", TextTable::Align::left}, {"x"}});
  table.add_row({"a<b", "1"});
  const std::string html = html_table(table, "A & B");
  EXPECT_NE(html.find("<caption>A &amp; B</caption>"), std::string::npos) << html;
  EXPECT_NE(html.find("<th scope=\"row\" class=\"left\">a&lt;b</th><td>1</td>"), std::string::npos) << html;
}

TEST(Rates, ByGroupsAreTheHandWorkedCase) {
  const std::vector<Counts> before = {{"b", "x", 1, 10}, {"a", "y", 2, 10}, {"b", "y", 3, 10}, {"c", "y", 0, 0}};
  const std::vector<Counts> after = {{"b", "x", 2, 10}, {"a", "y", 2, 10}, {"b", "y", 5, 10}, {"c", "y", 0, 0}};
  const ComparedMethod a = method("fp32", 8, before);
  const ComparedMethod b = method("m", 2, after);
  const auto rates = rates_by(Grouping::session, RateKind::per, b.outcome.evaluation, &a.outcome.evaluation);
  ASSERT_EQ(rates.size(), 2U);  // a session without a true phoneme has no rate
  EXPECT_EQ(rates[0].group, "a");
  EXPECT_DOUBLE_EQ(rates[0].rate, 20);
  EXPECT_DOUBLE_EQ(rates[0].interval.low, 20);  // one trial has no spread
  EXPECT_DOUBLE_EQ(rates[0].interval.high, 20);
  EXPECT_FALSE(rates[0].differs());
  EXPECT_EQ(rates[1].trials, 2);
  EXPECT_DOUBLE_EQ(rates[1].rate, 35);
  // Both trials drawn twice: 20 and 50 %, and one of each in between; each extreme is a quarter of the resamples.
  EXPECT_DOUBLE_EQ(rates[1].interval.low, 20);
  EXPECT_DOUBLE_EQ(rates[1].interval.high, 50);
  EXPECT_DOUBLE_EQ(rates[1].difference->difference, 15);
  EXPECT_DOUBLE_EQ(rates[1].difference->low, 10);
  EXPECT_DOUBLE_EQ(rates[1].difference->high, 20);
  EXPECT_FALSE(rates[1].differs());  // two trials are too few to tell
  const auto corpora = rates_by(Grouping::corpus, RateKind::per, b.outcome.evaluation, nullptr);
  ASSERT_EQ(corpora.size(), 2U);
  EXPECT_DOUBLE_EQ(corpora[0].rate, 20);
  EXPECT_DOUBLE_EQ(corpora[1].rate, 35);
  EXPECT_FALSE(corpora[1].difference);
}

TEST(Rates, DateOfASession) {
  EXPECT_EQ(date_of_session("t15.2023.08.11"), "2023-08-11");
  EXPECT_EQ(date_of_session("day one"), "");
  EXPECT_EQ(date_of_session("t15.2023.19.45"), "");
}

TEST(Findings, NameTheSmallestMethodThatKeepsThePer) {
  const std::vector<Counts> trials(4, {"s", "x", 10, 1000});
  std::vector<Counts> a_little_worse = trials;
  a_little_worse[0].distance = 12;  // 0.05 points over all; drawn three times of four, in 5 % of the resamples, 0.15
  const std::vector<Counts> much_worse(4, {"s", "x", 20, 1000});
  const ComparedMethod fp32 = method("fp32", 8'000'000, trials);
  const Comparison both = comparison({fp32, method("big", 2'000'000, trials),
                                      method("small", 1'000'000, a_little_worse), method("tiny", 500'000, much_worse)});
  EXPECT_EQ(answer_to("smallest", both),
            "small (1.0 MB, 8.00 times smaller than fp32): PER +0.05 [+0.00, +0.15] points. The 95 % interval of "
            "the PER goes beyond: more trials would be needed to be sure.");
  const Comparison sure = comparison({fp32, method("big", 2'000'000, trials)});
  EXPECT_EQ(
      answer_to("smallest", sure),
      "big (2.0 MB, 4.00 times smaller than fp32): PER +0.00 [+0.00, +0.00] points. All of the 95 % interval of the "
      "PER is within.");
  EXPECT_EQ(answer_to("smallest", comparison({fp32, method("tiny", 500'000, much_worse)})),
            "None. Nearest comes tiny (0.5 MB, 16.00 times smaller than fp32): PER +1.00 [+1.00, +1.00] points.");
}

TEST(Findings, OfMethodsOfOneSizeTheSurerIsNamed) {
  const std::vector<Counts> trials(4, {"s", "x", 10, 1000});
  std::vector<Counts> scattered = trials;  // the same sum, from trials that differ
  scattered[0].distance = 30;
  scattered[1].distance = 0;
  scattered[2].distance = 0;
  const ComparedMethod fp32 = method("fp32", 8'000'000, trials);
  const Comparison all = comparison({fp32, method("unsure", 1'000'000, scattered), method("sure", 1'005'000, trials)});
  EXPECT_EQ(answer_to("smallest", all).substr(0, 4), "sure");
}

TEST(Findings, NameTheSessionThatLostMost) {
  const ComparedMethod fp32 = method("fp32", 8, {{"a", "x", 1, 10}, {"b", "x", 1, 10}});
  const std::string most = "Most of all b with m: PER 20.00 % instead of 10.00 %, +10.00 [+10.00, +10.00] points ";
  EXPECT_EQ(answer_to("session", comparison({fp32, method("m", 2, {{"a", "x", 1, 10}, {"b", "x", 2, 10}})})),
            most + "(1 trial). No session has the 20 trials from which on its interval says much.");
  EXPECT_EQ(answer_to("session", comparison({fp32, method("m", 2, {{"a", "x", 1, 10}, {"b", "x", 0, 10}})})),
            "None: no method has a higher PER in any session.");
  std::vector<Counts> before(20, {"b", "x", 1, 10});
  std::vector<Counts> after(20, {"b", "x", 2, 10});
  before.push_back({"a", "x", 1, 10});
  after.push_back({"a", "x", 1, 10});
  EXPECT_EQ(answer_to("session", comparison({method("fp32", 8, before), method("m", 2, after)})),
            most +
                "(20 trials). Of 1 case of a session with a method and at least 20 trials, 1 is worse by an "
                "interval that excludes 0; chance alone makes up to one in forty so.");
}

TEST(Findings, LateStepsFailuresAndDisturbedTimes) {
  ComparedMethod fp32 = method("fp32", 8, {{"a", "x", 1, 10}});
  ComparedMethod m = method("m", 2, {{"a", "x", 1, 10}});
  fp32.outcome.evaluation.step = StepReport{{3, 1, 2, 79}, {3, 1, 1, 1}, 80, 0, {{1, 2, 3}}};
  EXPECT_EQ(answer_to("late", comparison({fp32, m})),
            "No: none of 3 timed steps took longer than 80 ms. The slowest took 79 ms (fp32).");
  m.outcome.evaluation.step = StepReport{{4, 1, 2, 90}, {4, 1, 1, 1}, 80, 1, {{1, 2, 4}}};
  m.outcome.evaluation.timing.core_share = 0.5;
  ComparedMethod failed;
  failed.outcome.name = "broken";
  failed.outcome.problem = "no space left";
  Comparison all = comparison({fp32, m});
  EXPECT_EQ(answer_to("failed", all), "");
  all.methods.push_back(failed);
  EXPECT_EQ(answer_to("late", all), "Yes: 1 of 7 timed steps took longer than 80 ms. The slowest took 90 ms (m).");
  EXPECT_EQ(answer_to("failed", all), "broken: no space left");
  EXPECT_NE(answer_to("trusted", all).find("m 50 %"), std::string::npos);
}

TEST(Figures, TheFrontIsWhatNobodyBeatsInBoth) {
  const Comparison all = comparison({method("fp32", 8, {{"a", "x", 1, 100}}), method("small", 2, {{"a", "x", 2, 100}}),
                                     method("twin", 2, {{"a", "x", 2, 100}}), method("worse", 4, {{"a", "x", 2, 100}}),
                                     method("worst", 9, {{"a", "x", 3, 100}})});
  const std::vector<Figure> figures = cost_figures(all, RateKind::per);
  ASSERT_EQ(figures.size(), 1U);  // no times were taken
  std::map<std::string, bool> front;
  for (const auto& row : figures[0].spec["data"]["values"]) front[row["method"]] = row["front"];
  EXPECT_EQ(front, (std::map<std::string, bool>{
                       {"fp32", true}, {"small", true}, {"twin", true}, {"worse", false}, {"worst", false}}));
  EXPECT_TRUE(cost_figures(all, RateKind::wer).empty());
}

// A comparison without truth, words or times, and one in which nothing succeeded.
TEST(Page, SaysWhatThereIs) {
  ComparedMethod fp32 = method("fp32", 8, {{"a", "x", 0, 0}});
  fp32.outcome.evaluation.per.reset();
  Comparison bare;
  bare.eval_type = "test";
  bare.methods = {fp32};
  const std::string page = comparison_page(bare);
  EXPECT_NE(page.find("1 trials of the test split"), std::string::npos);
  EXPECT_EQ(page.find("<figure"), std::string::npos);

  ComparedMethod failed;
  failed.outcome.name = "fp32";
  failed.outcome.problem = "a <b> & c";
  bare.methods = {failed};
  const std::string nothing = comparison_page(bare, {"quantize --x '<y>'", nullptr});
  EXPECT_NE(nothing.find("No method succeeded."), std::string::npos);
  EXPECT_NE(nothing.find("<dd>fp32: a &lt;b&gt; &amp; c</dd>"), std::string::npos);
  EXPECT_NE(nothing.find("quantize --x '&lt;y&gt;'"), std::string::npos);
}

}  // namespace
}  // namespace brainquant
