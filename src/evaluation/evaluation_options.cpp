#include "brainquant/evaluation/evaluation_options.h"

#include <fmt/format.h>

#include "brainquant/model/libtorch_environment.h"
#include "brainquant/support/error.h"

namespace brainquant {

namespace {

constexpr std::int64_t kMostTrialsInABatch = 4096;
}  // namespace

void EvaluationOptions::validate() const {
  if (data.split == Split::train) throw UsageError("--eval_type: found 'train', expected val or test");
  if (data.max_trials && *data.max_trials < 1) {
    throw UsageError(fmt::format("--max_trials: found {}, expected at least 1", *data.max_trials));
  }
  if (batch_size < 1 || batch_size > kMostTrialsInABatch) {
    throw UsageError(fmt::format("--batch_size: found {}, expected 1 to {}", batch_size, kMostTrialsInABatch));
  }
  if (step_latency < 0) {
    throw UsageError(fmt::format("--step_latency: found {}, expected at least 0", step_latency));
  }
  if (engine.threads < 0) throw UsageError(fmt::format("--threads: found {}, expected at least 0", engine.threads));
  if (!submission_csv.empty() && language_model.skip_lm) {
    throw UsageError("--submission_csv holds sentences: it contradicts --skip_lm");
  }
  language_model.validate();
}

int resolve_gpu_number(int gpu_number, const RunContext& context) {
  if (gpu_number < -1) {
    throw UsageError(fmt::format("--gpu_number: found {}, expected -1 (the CPU) or the number of a GPU", gpu_number));
  }
  if (gpu_number == -1) return -1;
  const int count = libtorch_gpu_count();
  if (count == 0) {
    context.log.info("no GPU here: running on the CPU");
    return -1;
  }
  if (gpu_number >= count) {
    throw UsageError(fmt::format("--gpu_number: found {}, expected at most {}", gpu_number, count - 1));
  }
  return gpu_number;
}

}  // namespace brainquant
