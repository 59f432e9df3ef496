// Trials read ahead of whoever needs them.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "model/dataset.h"

namespace brainquant {

/// Reads trials ahead on a thread of its own into a bounded queue, so that memory does not grow with the data set.
/// The data set must outlive the reader and is not to be used elsewhere meanwhile.
class TrialReader {
 public:
  /// Reads the trials `order` in this order; the queue and the trial being read hold at most `capacity_bytes` of
  /// features together (always at least one trial).
  TrialReader(Dataset& dataset, std::vector<std::size_t> order, std::size_t capacity_bytes = std::size_t{4} << 20);
  ~TrialReader();
  /// The next trial, or nothing after the last. Rethrows what reading threw, once the trials before it are handed out.
  std::optional<Trial> next();
  /// The most bytes of features that the queue and the trial being read held together, so far.
  std::size_t most_bytes_held() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
