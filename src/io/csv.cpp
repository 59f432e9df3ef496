#include "io/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace {

constexpr std::size_t kLargestFile = std::size_t{256} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  }

  std::vector<CsvRow> rows() {
    std::vector<CsvRow> rows;
    while (at_ < text_.size()) {
      if (take_line_break()) continue;
      rows.push_back(row());
    }
    return rows;
  }

 private:
  CsvRow row() {
    CsvRow result;
    result.line = line_;
    do {
      result.fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted_field() : plain_field());
    } while (take(','));
    result.has_line_break = take_line_break();
    result.end = at_;
    return result;
  }

  std::string plain_field() {
    const std::size_t end = std::min(text_.find_first_of(",\r\n\"", at_), text_.size());
    if (end < text_.size() && text_[end] == '"') fail(line_, "a quote inside a field that does not begin with one");
    std::string field(text_.substr(at_, end - at_));
    at_ = end;
    return field;
  }

  std::string quoted_field() {
    const std::size_t first_line = line_;
    std::string field;
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) fail(first_line, "a quote that is never closed");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        if (at_ >= text_.size() || text_[at_] != '"') break;  // else two quotes stand for one
      } else if (c == '\n' || (c == '\r' && text_.substr(at_, 2) != "\r\n")) {
        ++line_;
      }
      field += c;
    }
    if (at_ < text_.size() && text_.find_first_of(",\r\n", at_) != at_) fail(line_, "text after a closing quote");
    return field;
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool take_line_break() {
    const bool carriage_return = take('\r');
    if (!take('\n') && !carriage_return) return false;
    ++line_;
    return true;
  }

  [[noreturn]] void fail(std::size_t line, const char* problem) const {
    throw FormatError(path_, fmt::format("line {}", line), problem);
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text, const std::string& path) { return Parser(text, path).rows(); }

CsvTable::CsvTable(const std::filesystem::path& path) : CsvTable(read_file(path, kLargestFile), path.string()) {}

CsvTable::CsvTable(std::string_view text, std::string path) : path_(std::move(path)), rows_(parse_csv(text, path_)) {
  if (rows_.empty()) throw FormatError(path_, "line 1", "no header");
  header_ = std::move(rows_.front().fields);
  rows_.erase(rows_.begin());
  for (auto name = header_.begin(); name != header_.end(); ++name) {
    if (std::find(header_.begin(), name, *name) != name) {
      throw FormatError(path_, "header", fmt::format("names the column '{}' twice", *name));
    }
  }
  for (const CsvRow& row : rows_) {
    if (row.fields.size() != header_.size()) {
      throw FormatError(path_, fmt::format("line {}", row.line), fmt::format("{} fields", row.fields.size()),
                        fmt::format("{} as in the header", header_.size()));
    }
  }
}

std::size_t CsvTable::column(std::string_view name) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) throw FormatError(path_, "header", fmt::format("no column '{}'", name));
  return static_cast<std::size_t>(found - header_.begin());
}

std::string csv_field(std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(field);
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_row(const std::vector<std::string>& fields) {
  if (fields.size() == 1 && fields[0].empty()) return "\"\"\n";  // bare, it would be a line without anything
  std::string row;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) row += ',';
    row += csv_field(fields[i]);
  }
  return row + '\n';
}

}  // namespace brainquant
