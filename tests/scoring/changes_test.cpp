#include "brainquant/scoring/changes.h"

#include <gtest/gtest.h>

#include "brainquant/scoring/error_rate.h"

namespace brainquant {
namespace {

// "before>after", with + behind it where an error was added and - where one was removed.
std::string text_of(const std::vector<TokenChange>& changes) {
  std::string text;
  for (const TokenChange& change : changes) {
    const char* effect = change.effect == ChangeEffect::added ? "+" : change.effect == ChangeEffect::removed ? "-" : "";
    text += (text.empty() ? "" : " ") + change.before + ">" + change.after + effect;
  }
  return text;
}

std::string aligned(const std::string& before, const std::string& after, const std::string& truth) {
  return text_of(align_changes(words_of(before), words_of(after), words_of(truth)));
}

TEST(AlignChanges, EffectsAreTheHandWorkedOnes) {
  EXPECT_EQ(aligned("the cat sat on", "the cap sat", "the cat sat on"), "the>the cat>cap+ sat>sat on>+");
  EXPECT_EQ(aligned("the cap sat", "the cat sat on", "the cat sat on"), "the>the cap>cat- sat>sat >on-");
  EXPECT_EQ(aligned("a x b", "a b", "a b"), "a>a x>- b>b");      // x was too much
  EXPECT_EQ(aligned("a b", "a x b", "a b"), "a>a >x+ b>b");      // is too much
  EXPECT_EQ(aligned("a x", "a", "a b"), "a>a x>");               // replaced before, missing now
  EXPECT_EQ(aligned("a", "a x", "a b"), "a>a >x");               // missing before, replaced now
  EXPECT_EQ(aligned("a x b", "a y b", "a c b"), "a>a x>y b>b");  // wrong both times
  EXPECT_EQ(aligned("", "", "a"), "");
}

TEST(AlignChanges, WithoutATruthThereIsNoEffect) {
  const std::vector<TokenChange> changes = align_changes(words_of("a b"), words_of("a c d"));
  EXPECT_EQ(text_of(changes), "a>a >c b>d");
  EXPECT_EQ(changes[0].kind(), ChangeKind::equal);
  EXPECT_EQ(changes[1].kind(), ChangeKind::inserted);
  EXPECT_EQ(changes[2].kind(), ChangeKind::substituted);
  EXPECT_EQ(align_changes(words_of("a"), {})[0].kind(), ChangeKind::deleted);
}

}  // namespace
}  // namespace brainquant
