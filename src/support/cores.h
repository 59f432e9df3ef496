// How many threads a number of threads comes to.
#pragma once

namespace brainquant {

/// Cores that this process may use, at least 1.
int usable_cores();

/// `threads`; the usable cores if it is 0.
int effective_threads(int threads);

/// Throws UsageError naming --threads for a number below 0 or above 1024.
void validate_threads(int threads);

}  // namespace brainquant
