// The record of a search for bits.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "brainquant/experiment/bits_budget.h"
#include "brainquant/support/run_context.h"
#include "brainquant/support/run_key.h"

namespace brainquant {

/// What was measured so far; it does not depend on the budget's points.
struct BitsMeasurements {
  std::optional<double> fp32_per;
  std::optional<double> fp32_wer;
  std::vector<std::string> trials;
  std::string language_model;
  std::map<std::string, MatrixCost> costs;
  std::vector<BudgetStep> steps;  // within_budget is not kept
};

/// What a record of the same key holds; nothing measured if there is none, or one of the same checkpoint with another
/// key, which the log says. Throws FileError for another checkpoint's and for any other file, unless `replace`.
BitsMeasurements read_bits_record(const std::filesystem::path& path, const RunKey& key, bool replace,
                                  const RunContext& context);
/// `choice`: none while the search goes on. Throws FileError.
void write_bits_record(const std::filesystem::path& path, const RunKey& key, const BitsMeasurements& measured,
                       const BitsChoice* choice);

}  // namespace brainquant
