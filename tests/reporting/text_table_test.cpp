// Tables for text and Markdown, as wide as they come, and on terminals of fewer columns.
#include "reporting/text_table.h"

#include <gtest/gtest.h>

namespace brainquant {
namespace {

TextTable small_table() {
  TextTable table({{"method", TextTable::Align::left},
                   {"MB"},
                   {"ratio", TextTable::Align::right, true},
                   {"PER %"},
                   {"argmax", TextTable::Align::right, true}});
  table.add_row({"fp32", "17.9", "1.00", "9.76", "-"});
  table.add_row({"dynamic", "4.5", "3.97", "9.83", "99.92"});
  return table;
}

TEST(TextTable, AlignsAndEscapes) {
  TextTable table({{"name", TextTable::Align::left}, {"value"}});
  table.add_row({"a|b", "1"});
  table.add_row({"na\xc3\xafve", "1234567"});
  EXPECT_EQ(table.text(), "name     value\n-----  -------\na|b          1\nna\xc3\xafve  1234567\n");
  EXPECT_EQ(table.markdown(),
            "| name  |   value |\n| :---- | ------: |\n| a\\|b  |       1 |\n| na\xc3\xafve | 1234567 |\n");
}

TEST(TextTable, AnyWidth) {
  const std::string whole =
      "method     MB  ratio  PER %  argmax\n"
      "-------  ----  -----  -----  ------\n"
      "fp32     17.9   1.00   9.76       -\n"
      "dynamic   4.5   3.97   9.83   99.92\n";
  EXPECT_EQ(small_table().text(), whole);
  EXPECT_EQ(small_table().text(35), whole);
}

TEST(TextTable, LeastColumnsGoFirstFromTheRight) {
  EXPECT_EQ(small_table().text(34),
            "method     MB  ratio  PER %\n"
            "-------  ----  -----  -----\n"
            "fp32     17.9   1.00   9.76\n"
            "dynamic   4.5   3.97   9.83\n"
            "left out: argmax\n");
  EXPECT_EQ(small_table().text(26),
            "method     MB  PER %\n"
            "-------  ----  -----\n"
            "fp32     17.9   9.76\n"
            "dynamic   4.5   9.83\n"
            "left out: ratio, argmax\n");
  EXPECT_EQ(small_table().text(16),
            "method     MB\n"
            "-------  ----\n"
            "fp32     17.9\n"
            "dynamic   4.5\n"
            "left out: ratio,\n"
            "PER %, argmax\n");
}

TEST(TextTable, RowsAreStackedWhereNotEvenTwoColumnsFit) {
  TextTable table({{"method", TextTable::Align::left}, {"MB"}, {"PER %"}});
  table.add_row({"fp32", "17.9", "9.76"});
  table.add_row({"dynamic", "failed"});
  EXPECT_EQ(table.text(10),
            "method: fp32\n"
            "MB: 17.9\n"
            "PER %: 9.76\n"
            "\n"
            "method: dynamic\n"
            "MB: failed\n");
}

}  // namespace
}  // namespace brainquant
