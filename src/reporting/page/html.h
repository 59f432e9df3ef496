// Pieces of a page in HTML.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "reporting/text_table.h"

namespace brainquant {

/// For text between tags and for attributes in double quotes.
std::string html_escaped(std::string_view text);

/// A table that scrolls sideways where the page is narrower; its first column names the rows.
std::string html_table(const TextTable& table, const std::string& caption);

/// What can be opened: closed, only `summary` is seen.
std::string html_details(const std::string& summary, const std::string& content);

/// A paragraph of plain text.
std::string html_paragraph(const std::string& text);

/// A plot with what it shows and the numbers behind it.
struct Figure {
  std::string id;               // of the plot in the page, and the name of its file when it is saved
  std::string title;            // read out for the plot, and above it
  std::string caption;          // plain text: how to read it
  nlohmann::ordered_json spec;  // Vega-Lite
  TextTable numbers;
  bool wide = false;  // takes the page's whole width
};
std::string html_figure(const Figure& figure);

/// JSON inside the page, to be read by its script under `id`. It cannot end the element that it stands in.
std::string html_json(const std::string& id, const std::string& attributes, const nlohmann::ordered_json& json);

}  // namespace brainquant
