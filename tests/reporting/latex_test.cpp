#include "reporting/latex.h"

#include <gtest/gtest.h>

namespace brainquant {
namespace {

TEST(Latex, SpecialCharactersAreThoseWorkedByHand) {
  EXPECT_EQ(latex_text("static_qint8-histogram"), "static\\_qint8-histogram");
  EXPECT_EQ(latex_text("5 % & $1 #2 {x} a_b"), "5 \\% \\& \\$1 \\#2 \\{x\\} a\\_b");
  EXPECT_EQ(latex_text("\\input{/etc/passwd}"), "\\textbackslash{}input\\{/etc/passwd\\}");
  EXPECT_EQ(latex_text("~^<>|`\""),
            "\\textasciitilde{}\\textasciicircum{}\\textless{}\\textgreater{}\\textbar{}"
            "\\textasciigrave{}''");
  // Behind a \\ these two would be its argument and its star.
  EXPECT_EQ(latex_text("[2cm]*"), "{[}2cm]{*}");
  EXPECT_EQ(latex_text("a---b - c"), "a-{}-{}-b - c");
  EXPECT_EQ(latex_text("one\ntwo\r%three\x7f"), "one two \\%three ");
  EXPECT_EQ(latex_text("naïve"), "naïve");
  EXPECT_EQ(latex_text(""), "");
}

TEST(Latex, SignsOfNumbersAreMath) {
  EXPECT_EQ(latex_numbers("+0.07 [-0.15, +0.36]"), "$+0.07$ {[}$-0.15$, $+0.36$]");
  EXPECT_EQ(latex_numbers("[-1.00, +2.00]"), "{[}$-1.00$, $+2.00$]");
  EXPECT_EQ(latex_numbers("-3"), "$-3$");
  EXPECT_EQ(latex_numbers("2.4 [1.8, 3.5]"), "2.4 {[}1.8, 3.5]");
  EXPECT_EQ(latex_numbers("-"), "--");
  EXPECT_EQ(latex_numbers("can't tell_with 1-2 -x +"), "can't tell\\_with 1-2 -x +");
  EXPECT_EQ(latex_numbers(""), "");
}

TEST(Latex, ShortRowsAreFilledUp) {
  EXPECT_EQ(
      latex_tabular("lr", {"a", "b"}, {{"1"}, {"2", "3"}}),
      "\\begin{tabular}{lr}\n\\toprule\na & b \\\\\n\\midrule\n1 &  \\\\\n2 & 3 \\\\\n\\bottomrule\n\\end{tabular}\n");
}

}  // namespace
}  // namespace brainquant
