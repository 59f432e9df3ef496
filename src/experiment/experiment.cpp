#include "brainquant/experiment/experiment.h"

#include "brainquant/support/error.h"
#include "experiment/method_run.h"
#include "experiment/tensor_reports.h"

namespace brainquant {

MethodOutcome run_experiment(const ExperimentOptions& given, const Method& method,
                             const std::function<void(const MethodOutcome&)>& publish, const RunContext& context,
                             const ProgramRunner& programs) {
  if (method.quantization) method.quantization->validate();
  const ExperimentOptions options = resolved(given, context);
  const RunLock lock = lock_method(options, method, context);
  MethodOutcome outcome = run_method(options, method, lock, programs, context);
  if (!outcome.succeeded) throw WorkError(outcome.problem);
  add_tensor_reports({&outcome, 1}, options.model_path, context);
  publish(outcome);
  return outcome;
}

}  // namespace brainquant
