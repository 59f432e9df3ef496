#include "reporting/latex.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace brainquant {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string of_character(char c) {
  switch (c) {
    case '&':
    case '%':
    case '$':
    case '#':
    case '_':
    case '{':
    case '}':
      return {'\\', c};
    case '\\':
      return "\\textbackslash{}";
    case '~':
      return "\\textasciitilde{}";
    case '^':
      return "\\textasciicircum{}";
    case '<':  // the fonts of LaTeX's first encoding have other characters in the places of these
      return "\\textless{}";
    case '>':
      return "\\textgreater{}";
    case '|':
      return "\\textbar{}";
    case '"':
      return "''";
    case '`':
      return "\\textasciigrave{}";
    case '[':
    case '*':
      return {'{', c, '}'};
    default:
      return {static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c};
  }
}

}  // namespace

std::string latex_text(std::string_view text) {
  std::string latex;
  char before = 0;
  for (const char c : text) {
    if (c == '-' && before == '-') latex += "{}";
    latex += of_character(c);
    before = c;
  }
  return latex;
}

std::string latex_numbers(std::string_view text) {
  if (text == "-") return "--";
  std::string latex;
  std::size_t at = 0;
  for (std::size_t sign = 0; sign + 1 < text.size(); ++sign) {
    const bool begins = sign == 0 || text[sign - 1] == ' ' || text[sign - 1] == '[';
    if (!begins || (text[sign] != '+' && text[sign] != '-') || !is_digit(text[sign + 1])) continue;
    std::size_t end = sign + 1;
    while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
    latex += fmt::format("{}${}$", latex_text(text.substr(at, sign - at)), text.substr(sign, end - sign));
    at = end;
    sign = end - 1;
  }
  return latex + latex_text(text.substr(at));
}

std::string latex_tabular(const std::string& alignment, const std::vector<std::string>& titles,
                          const std::vector<std::vector<std::string>>& rows) {
  const auto line = [&](std::vector<std::string> cells) {
    cells.resize(titles.size());
    return fmt::format("{} \\\\\n", fmt::join(cells, " & "));
  };
  std::string text = fmt::format("\\begin{{tabular}}{{{}}}\n\\toprule\n{}\\midrule\n", alignment, line(titles));
  for (const std::vector<std::string>& row : rows) text += line(row);
  return text + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace brainquant
