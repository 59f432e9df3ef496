#include <chrono>

#include "brainquant/evaluation/evaluator.h"
#include "brainquant/experiment/program_runner.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "evaluation/machine.h"
#include "support/seconds_since.h"

namespace brainquant {

namespace {

class InProcessRunner final : public ProgramRunner {
 public:
  ProgramCosts quantize(const QuantizeJob& job, const ProgramSetting& /*setting*/,
                        const RunContext& context) const override {
    const auto start = std::chrono::steady_clock::now();
    run_quantize_job(job, libtorch_calibration(), context);
    return {peak_memory_bytes(), seconds_since(start)};
  }
  ProgramCosts evaluate(const EvaluationOptions& options, const ProgramSetting& /*setting*/,
                        const RunContext& context) const override {
    const auto start = std::chrono::steady_clock::now();
    brainquant::evaluate(options, context);
    return {peak_memory_bytes(), seconds_since(start)};
  }
};

}  // namespace

const ProgramRunner& in_process_runner() {
  static const InProcessRunner runner;
  return runner;
}

}  // namespace brainquant
