// Which words and phonemes a method changes: made of what the evaluations kept.
#pragma once

#include <optional>

#include "brainquant/experiment/changes.h"
#include "brainquant/experiment/experiment.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// Sets a method's decodings against the baseline's. Sentences and truth come from the evaluations, which must be of
/// the same trials in the same order, phonemes from the saved logits. Nothing, and log.info says so, if an evaluation
/// has no texts because an earlier version wrote it. Throws FileError, FormatError (logits that are not of these
/// trials), Interrupted.
std::optional<MethodChanges> find_changes(const MethodOutcome& baseline, const MethodOutcome& method,
                                          const RunContext& context = {});

}  // namespace brainquant
