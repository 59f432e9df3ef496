#include "experiment/tensor_reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>

#include "brainquant/support/error.h"
#include "model/checkpoint.h"
#include "quantization/quantized_file.h"
#include "quantization/report_tensors.h"

namespace brainquant {

namespace {

bool has_tensors(const MethodOutcome& outcome) { return outcome.succeeded && outcome.evaluation.model.quantization; }

void add_tensor_report(MethodOutcome& outcome, const Checkpoint& checkpoint, const RunContext& context) {
  const LoadedQuantizedFile file = load_quantized_file(outcome.model_file, context);
  if (file.sha256 != outcome.evaluation.model.sha256) {
    throw WorkError(outcome.model_file.string() + ": is not the file that was evaluated");
  }
  if (file.model.provenance.source_sha256 != checkpoint.sha256) {
    throw WorkError(outcome.model_file.string() + ": was made of another checkpoint than lies there now");
  }
  outcome.tensors = report_tensors(checkpoint, file.model);
}

// The results are finished, and worth showing without what fails here. Interrupted is no failure.
void try_to(const RunContext& context, const std::string& whose, const std::function<void()>& work) {
  try {
    work();
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& problem) {
    context.log.warning(fmt::format("{}'s signal-to-noise ratios are left out: {}", whose, problem.what()));
  }
}

}  // namespace

void add_tensor_reports(std::span<MethodOutcome> outcomes, const std::filesystem::path& model_path,
                        const RunContext& context) {
  if (std::none_of(outcomes.begin(), outcomes.end(), has_tensors)) return;
  // Seconds, after what is shown as the whole of the work.
  const RunContext silent;
  const RunContext without_progress(context.log, silent.progress, context.cancel);
  try_to(context, "the weights", [&] {
    const Checkpoint checkpoint = load_checkpoint(model_path, without_progress);
    for (MethodOutcome& outcome : outcomes) {
      if (!has_tensors(outcome)) continue;
      try_to(context, outcome.name, [&] { add_tensor_report(outcome, checkpoint, without_progress); });
    }
  });
}

}  // namespace brainquant
