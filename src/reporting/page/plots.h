// Vega-Lite specifications: what all plots of a page share.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "brainquant/experiment/comparison.h"

namespace brainquant {

/// In pixels.
inline constexpr int kPlotHeight = 280;
inline constexpr int kRowHeight = 22;  // of a plot with rows of names

/// Fonts, axes and legends. Text and lines take the page's own colour, so that a plot suits light and dark pages. A
/// screen reader is told a plot's title alone: the numbers stand in a table below it.
nlohmann::ordered_json plot_config();

/// Each method's colour and shape, the same in all plots. The colours are told apart by colour-blind readers, and the
/// shapes without any colour.
class MethodMarks {
 public:
  explicit MethodMarks(const Comparison& comparison);

  /// Encodings of the field "method" of a plot's rows, with a legend below the plot.
  nlohmann::ordered_json color() const;
  nlohmann::ordered_json shape() const;

 private:
  std::vector<std::string> methods_;
};

/// A plot as wide as its place in the page, `height` pixels high; encodings, marks or layers are yet to be added.
nlohmann::ordered_json plot_of(const std::string& title, nlohmann::ordered_json rows, int height);

/// An encoding of a number, a name or a date.
nlohmann::ordered_json quantity(const std::string& field, const std::string& title);
nlohmann::ordered_json category(const std::string& field);
/// Names in the order in which the rows have them.
nlohmann::ordered_json in_order(nlohmann::ordered_json encoding);

/// A layer's rule from field `low` to field `high` along `axis`, "x" or "y", whose quantity is `encoding`.
nlohmann::ordered_json interval_layer(const std::string& axis, nlohmann::ordered_json encoding);

/// Tooltips with these fields of a row, each with its title.
nlohmann::ordered_json tooltips(const std::vector<std::pair<std::string, std::string>>& fields);

/// From nothing to `most`, for what is neither good nor bad.
nlohmann::ordered_json amount_color(const std::string& field, const std::string& title, double most);

/// From better than fp32 over no difference to worse, for values up to `most` either way.
nlohmann::ordered_json difference_color(const std::string& field, const std::string& title, double most);

}  // namespace brainquant
