// How a program of this project tells the one that started it how far it is: lines "DONE TOTAL STAGE" on a pipe.
#pragma once

#include <string>

#include "brainquant/support/run_context.h"
#include "support/descriptor.h"

namespace brainquant {

/// The environment variable that holds the number of the descriptor to write them to.
inline constexpr const char* kProgressVariable = "BRAINQUANT_PROGRESS_FD";

/// The end at the program that started another one. Nobody waits for progress: the other program drops what finds the
/// pipe full, and pass_on() takes what is there.
class ProgressPipe {
 public:
  /// Throws WorkError if there are no descriptors left.
  ProgressPipe();

  /// For the other program; closed here by close_writing_end(), once that program has it.
  int writing_end() const { return writing_.get(); }
  void close_writing_end() { writing_ = Descriptor(); }

  /// Hands what has come to `progress`. A line that is none of progress is ignored.
  void pass_on(Progress& progress);

 private:
  void pass_on_line(const std::string& line, Progress& progress) const;

  Descriptor reading_;
  Descriptor writing_;
  std::string begun_;  // of a line whose end has not come yet
};

}  // namespace brainquant
