// Text and tables for LaTeX documents.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace brainquant {

/// `text` as LaTeX typesets it, whatever it holds: special characters escaped, no ligatures of hyphens, and no "[" or
/// "*" that a \\ before it would take. Control characters become spaces. Not for verbatim and math.
std::string latex_text(std::string_view text);

/// The same, with the signs of numbers as math has them: "-0.5" becomes "$-0.5$", and a "-" that stands alone, "--".
std::string latex_numbers(std::string_view text);

/// A tabular of the package booktabs. `alignment` has a letter ("l", "r") for each column; titles and cells are LaTeX
/// already, and missing cells at the end are empty.
std::string latex_tabular(const std::string& alignment, const std::vector<std::string>& titles,
                          const std::vector<std::vector<std::string>>& rows);

}  // namespace brainquant
