// A comparison, or one experiment, as a page for a browser: one file with everything in it, which asks no network.
#pragma once

#include <filesystem>
#include <string>

#include "brainquant/experiment/comparison.h"
#include "brainquant/experiment/sensitivity.h"

namespace brainquant {

/// What a page shows beside the results.
struct PageExtras {
  std::string command;                       // how to run it again, as typed into a shell; "" leaves it out
  const Sensitivity* sensitivity = nullptr;  // of the same checkpoint and data, if it was measured
};

std::string comparison_page(const Comparison& comparison, const PageExtras& extras = {});
/// Of one method, without anything to compare it with.
std::string experiment_page(const MethodOutcome& outcome, const PageExtras& extras = {});

/// Write these pages. Throw FileError.
void write_comparison_page(const Comparison& comparison, const std::filesystem::path& path,
                           const PageExtras& extras = {});
void write_experiment_page(const MethodOutcome& outcome, const std::filesystem::path& path,
                           const PageExtras& extras = {});

}  // namespace brainquant
