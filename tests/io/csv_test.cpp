#include "io/csv.h"

#include <gtest/gtest.h>

#include <fstream>

#include "brainquant/support/error.h"

namespace brainquant {
namespace {

using Fields = std::vector<std::vector<std::string>>;

Fields fields_of(std::string_view text) {
  Fields all;
  for (const CsvRow& row : parse_csv(text, "x.csv")) all.push_back(row.fields);
  return all;
}

std::string problem_of(std::string_view text) {
  try {
    parse_csv(text, "x.csv");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "none";
}

TEST(Csv, Rfc4180) {
  EXPECT_EQ(fields_of("a,b\r\n1,2\r\n"), (Fields{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(fields_of("\"a,b\",\"say \"\"hi\"\"\",\"two\r\nlines\"\n"),
            (Fields{{"a,b", "say \"hi\"", "two\r\nlines"}}));
  EXPECT_EQ(fields_of("a,b\n1,"), (Fields{{"a", "b"}, {"1", ""}}));
  EXPECT_EQ(fields_of(",\n\"\",x"), (Fields{{"", ""}, {"", "x"}}));
  EXPECT_EQ(fields_of("\"\""), (Fields{{""}}));
}

TEST(Csv, LineEndsAndByteOrderMark) {
  const Fields expected{{"a", "b"}, {"c", "d"}};
  EXPECT_EQ(fields_of("a,b\nc,d"), expected);
  EXPECT_EQ(fields_of("a,b\rc,d\r"), expected);
  EXPECT_EQ(fields_of("\xEF\xBB\xBF"
                      "a,b\r\n\r\n\nc,d\r\n\r\n"),
            expected);
  EXPECT_EQ(fields_of(""), Fields{});
  EXPECT_EQ(fields_of("\r\n"), Fields{});
}

TEST(Csv, PlacesOfRows) {
  const std::string text = "a,b\r\n\r\n\"x\r\ny\ny\",2\r\nlast,3";
  const std::vector<CsvRow> rows = parse_csv(text, "x.csv");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].line, 1U);
  EXPECT_EQ(rows[1].line, 3U);
  EXPECT_EQ(rows[2].line, 6U);
  EXPECT_EQ(text.substr(0, rows[1].end), "a,b\r\n\r\n\"x\r\ny\ny\",2\r\n");
  EXPECT_TRUE(rows[1].has_line_break);
  EXPECT_FALSE(rows[2].has_line_break);
  EXPECT_EQ(rows[2].end, text.size());
}

TEST(Csv, ErrorsNameTheLine) {
  EXPECT_EQ(problem_of("a,b\n1,\"2\n\n"), "x.csv: line 2: a quote that is never closed");
  EXPECT_EQ(problem_of("a\n\"b\"c\n"), "x.csv: line 2: text after a closing quote");
  EXPECT_EQ(problem_of("a\n\nb\"c\n"), "x.csv: line 3: a quote inside a field that does not begin with one");
  EXPECT_EQ(problem_of("\"a\"\"\n"), "x.csv: line 1: a quote that is never closed");
}

TEST(Csv, Table) {
  const CsvTable table("Date,Block\n2023-08-11,2\n", "x.csv");
  EXPECT_EQ(table.column("Block"), 1U);
  EXPECT_EQ(table.rows().at(0).fields.at(0), "2023-08-11");
  EXPECT_THROW(table.column("Corpus"), FormatError);
  EXPECT_THROW(CsvTable("", "x.csv"), FormatError);
  EXPECT_THROW(CsvTable("a,a\n1,2\n", "x.csv"), FormatError);
  try {
    CsvTable("a,b\n1,2\n3\n", "x.csv");
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_STREQ(error.what(), "x.csv: line 3: found 1 fields, expected 2 as in the header");
  }
  EXPECT_THROW(CsvTable(std::filesystem::path("/nonexistent/x.csv")), FileError);
}

TEST(Csv, Writing) {
  EXPECT_EQ(csv_row({"a", "b c", "it's"}), "a,b c,it's\n");
  EXPECT_EQ(csv_row({"a,b", "say \"hi\"", "x\ny", "\r"}), "\"a,b\",\"say \"\"hi\"\"\",\"x\ny\",\"\r\"\n");
  EXPECT_EQ(csv_row({"", ""}), ",\n");
  EXPECT_EQ(csv_row({""}), "\"\"\n");
}

TEST(Csv, EveryShortTextIsReadOrRefused) {
  // All texts of up to six characters of an alphabet that has every special one: no crash, and what is read survives a
  // round trip.
  const std::string alphabet = "a,\"\r\n";
  for (int length = 0; length <= 6; ++length) {
    int texts = 1;
    for (int i = 0; i < length; ++i) texts *= static_cast<int>(alphabet.size());
    for (int number = 0; number < texts; ++number) {
      std::string text;
      for (int i = 0, rest = number; i < length; ++i, rest /= static_cast<int>(alphabet.size())) {
        text += alphabet[static_cast<std::size_t>(rest) % alphabet.size()];
      }
      Fields read;
      try {
        read = fields_of(text);
      } catch (const FormatError&) {
        continue;
      }
      std::string written;
      for (const auto& row : read) written += csv_row(row);
      ASSERT_EQ(fields_of(written), read) << text;
    }
  }
}

}  // namespace
}  // namespace brainquant
