#include "reporting/page/html.h"

#include <fmt/format.h>

namespace brainquant {

namespace {

std::string with_replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string html_table(const TextTable& table, const std::string& caption) {
  std::string head;
  std::vector<std::string> classes;
  for (const TextTable::Column& column : table.columns()) {
    classes.push_back(column.align == TextTable::Align::left ? " class=\"left\"" : "");
    head += fmt::format("<th scope=\"col\"{}>{}</th>", classes.back(), html_escaped(column.title));
  }
  std::string body;
  for (const std::vector<std::string>& row : table.cells()) {
    body += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) {
      body += c == 0 ? fmt::format("<th scope=\"row\"{}>{}</th>", classes[c], html_escaped(row[c]))
                     : fmt::format("<td{}>{}</td>", classes[c], html_escaped(row[c]));
    }
    body += "</tr>\n";
  }
  return fmt::format(
      "<div class=\"scroll\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\"><table><caption>{0}</caption>\n"
      "<thead><tr>{1}</tr></thead>\n<tbody>\n{2}</tbody></table></div>\n",
      html_escaped(caption), head, body);
}

std::string html_details(const std::string& summary, const std::string& content) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", html_escaped(summary), content);
}

std::string html_paragraph(const std::string& text) { return "<p>" + html_escaped(text) + "</p>\n"; }

std::string html_json(const std::string& id, const std::string& attributes, const nlohmann::ordered_json& json) {
  using Json = nlohmann::ordered_json;
  // "<" occurs only inside JSON's strings, where its escape means the same.
  const std::string text = with_replaced(json.dump(-1, ' ', false, Json::error_handler_t::replace), "<", "\\u003c");
  return fmt::format("<script type=\"application/json\" id=\"{}\"{}>{}</script>\n", html_escaped(id), attributes, text);
}

std::string html_figure(const Figure& figure) {
  nlohmann::ordered_json spec = figure.spec;
  spec["usermeta"] = {{"wide", figure.wide}};
  return fmt::format(
             "<figure{3}>\n<h3>{1}</h3>\n<div class=\"plot\" id=\"plot-{0}\"></div>\n"
             "<figcaption>{2}</figcaption>\n",
             html_escaped(figure.id), html_escaped(figure.title), html_escaped(figure.caption),
             figure.wide ? " class=\"wide\"" : "") +
         html_details("The numbers", html_table(figure.numbers, figure.title)) +
         html_json("spec-" + figure.id, " class=\"spec\"", spec) + "</figure>\n";
}

}  // namespace brainquant
