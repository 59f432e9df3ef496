// Comma-separated values by RFC 4180: fields in double quotes may hold commas, line breaks and doubled quotes. Rows are
// written with LF ends, though, as the public evaluator writes them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace brainquant {

struct CsvRow {
  std::size_t line = 0;             // where it begins, counted from 1
  std::size_t end = 0;              // offset of the byte after its line break
  bool has_line_break = false;      // false: the text ended instead; the row may be cut off
  std::vector<std::string> fields;  // without their quotes
};

/// Rows of a text in UTF-8. A byte order mark, CRLF, LF or CR line ends and a missing last one are accepted, lines
/// without anything are left out. `path` is for messages. Throws FormatError naming the line: a quote that is never
/// closed, text after a closing quote, a quote inside a field that did not begin with one.
std::vector<CsvRow> parse_csv(std::string_view text, const std::string& path);

/// A CSV file whose first row names the columns.
class CsvTable {
 public:
  /// At most 256 MiB. Throws FileError (missing, unreadable), FormatError (as parse_csv; no header; a column named
  /// twice; a row with another number of fields than the header).
  explicit CsvTable(const std::filesystem::path& path);
  /// The same from text that was read already.
  CsvTable(std::string_view text, std::string path);

  const std::string& path() const { return path_; }
  const std::vector<std::string>& header() const { return header_; }
  const std::vector<CsvRow>& rows() const { return rows_; }
  /// Index of a column. Throws FormatError if the header doesn't name it.
  std::size_t column(std::string_view name) const;

 private:
  std::string path_;
  std::vector<std::string> header_;
  std::vector<CsvRow> rows_;
};

/// A field as it is written: in quotes only when it holds a comma, a quote or a line break.
std::string csv_field(std::string_view field);
/// A whole row with its LF.
std::string csv_row(const std::vector<std::string>& fields);

}  // namespace brainquant
