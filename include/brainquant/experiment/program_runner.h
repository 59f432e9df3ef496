// Who carries out the steps of an experiment: this process, or programs that it starts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/quantization/quantize_job.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// What a step's program is given besides its options.
struct ProgramSetting {
  std::filesystem::path log;  // gets what a program prints, appended
  int lock_descriptor = -1;   // of the lock under which the results are written: a program that outlives this process
                              // keeps it
};

struct ProgramCosts {
  std::int64_t peak_memory_bytes = 0;  // resident
  double seconds = 0;
};

/// Both steps throw WorkError, FileError and so on when they fail, Interrupted when context.cancel is set.
class ProgramRunner {
 public:
  virtual ~ProgramRunner() = default;
  /// Makes the job's quantized file.
  virtual ProgramCosts quantize(const QuantizeJob& job, const ProgramSetting& setting,
                                const RunContext& context) const = 0;
  /// Makes the evaluation's results files.
  virtual ProgramCosts evaluate(const EvaluationOptions& options, const ProgramSetting& setting,
                                const RunContext& context) const = 0;
};

/// Everything in this process. The peak of memory is then the whole process's so far, and no log is written.
const ProgramRunner& in_process_runner();

/// Starts the project's programs, which are expected beside the one that is running: each method's memory and time are
/// its own, and one that dies takes nothing with it. To be used on the main thread (the kernel counts the end of the
/// thread that started a program as the end of its parent).
const ProgramRunner& child_process_runner();

/// Leaves `problem` to the program that started this one, if child_process_runner() did. Never throws.
void hand_over_error(const std::string& problem) noexcept;
/// Tells that program of progress too, which goes to its RunContext. Never waits, never throws.
void hand_over_progress(const std::string& stage, std::int64_t done, std::int64_t total) noexcept;

}  // namespace brainquant
