#include "support/utf8.h"

#include <gtest/gtest.h>

#include "brainquant/support/printable.h"

namespace brainquant {
namespace {

using namespace std::string_literals;

TEST(Utf8, ValidTextStaysAsItIs) {
  for (const std::string& text : {""s, "plain"s, "caf\u00e9"s, "\u20ac \U0001f9e0"s, "a\0b"s}) {
    EXPECT_EQ(valid_utf8(text), text);
    EXPECT_TRUE(is_utf8(text));
  }
}

TEST(Utf8, EveryOtherByteIsReplaced) {
  const std::string mark = "\ufffd";
  EXPECT_EQ(valid_utf8("caf\xe9"), "caf" + mark);
  EXPECT_EQ(valid_utf8("\xff\xfe!"), mark + mark + "!");
  EXPECT_EQ(valid_utf8("\xc3"), mark);                                   // cut off
  EXPECT_EQ(valid_utf8("\xc0\xaf"), mark + mark);                        // an overlong '/'
  EXPECT_EQ(valid_utf8("\xed\xa0\x80x"), mark + mark + mark + "x");      // half of a surrogate pair
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80"), mark + mark + mark + mark);  // beyond U+10FFFF
}

TEST(Printable, ControlCharactersBecomeSpaces) {
  EXPECT_EQ(printable("a\x1b[2Jb\nc\x7f"), "a [2Jb c ");
  EXPECT_EQ(printable("x\u009b31m"), "x 31m");  // C1: a terminal may take it for an escape
  EXPECT_EQ(printable("caf\u00e9 \u20ac"), "caf\u00e9 \u20ac");
  EXPECT_EQ(printable(""), "");
}

}  // namespace
}  // namespace brainquant
