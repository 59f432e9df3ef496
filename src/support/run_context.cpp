#include "brainquant/support/run_context.h"

#include "brainquant/support/error.h"

namespace brainquant {

namespace {
Log silent_log;
Progress silent_progress;
const CancelToken never_cancelled;
}  // namespace

void CancelToken::check() const {
  if (cancelled()) throw Interrupted();
}

RunContext::RunContext() : log(silent_log), progress(silent_progress), cancel(never_cancelled) {}

}  // namespace brainquant
