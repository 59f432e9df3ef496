// What lies in a model's file, for people and programs.
#pragma once

#include <string>

#include "brainquant/quantization/inspection.h"
#include "brainquant/reporting/width.h"

namespace brainquant {

/// What the file is, what made it, the decoder's sizes, and a table of its tensors, which is `width` characters wide at
/// most.
std::string inspection_text(const Inspection& inspection, std::size_t width = kAnyWidth);
/// docs/results-schema.md's, schema brainquant/inspection.
std::string inspection_json(const Inspection& inspection);

/// One line: "FILE: ok, ...".
std::string verification_text(const Verification& verification);

}  // namespace brainquant
