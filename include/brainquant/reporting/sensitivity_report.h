// A sensitivity measurement for people and programs.
#pragma once

#include <filesystem>
#include <string>

#include "brainquant/experiment/sensitivity.h"
#include "brainquant/reporting/width.h"

namespace brainquant {

/// Matrix by matrix, the one that costs most first, for each number of bits. `width`: of the tables, in characters.
std::string sensitivity_text(const Sensitivity& sensitivity, std::size_t width = kAnyWidth);
/// The same, and how the error grows over layers and steps.
std::string sensitivity_markdown(const Sensitivity& sensitivity);
/// A row for each case.
std::string sensitivity_csv(const Sensitivity& sensitivity);
/// docs/results-schema.md's, schema brainquant/sensitivity.
std::string sensitivity_json(const Sensitivity& sensitivity);

/// sensitivity.md, sensitivity.csv and sensitivity.json in `folder`. Throws FileError.
void write_sensitivity(const Sensitivity& sensitivity, const std::filesystem::path& folder);

}  // namespace brainquant
