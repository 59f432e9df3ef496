// The steps of several trials as rows: what passes through all layers together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "brainquant/runtime/engine.h"

namespace brainquant {

/// Trials decoded side by side. Docs: docs/performance.md, "Trials side by side".
inline constexpr std::int64_t kTrialsTogether = 8;
/// Rows (a trial's step each) that pass through all layers before the next rows begin: the buffers between layers stay
/// in cache, and the weights are read once for so many rows.
inline constexpr std::int64_t kRowsTogether = 128;

/// A stretch is the steps [begin, end) of the trials that still run. Its rows stand step by step, and in a step trial
/// by trial.
class StretchRows {
 public:
  struct Row {
    std::int64_t trial;
    std::int64_t step;
  };

  StretchRows() {
    rows_.reserve(kRowsTogether);
    first_row_.reserve(kRowsTogether + 1);
  }

  /// `results` have the trials' steps, longest first.
  void list(std::span<Logits* const> results, std::int64_t begin, std::int64_t end) {
    begin_ = begin;
    rows_.clear();
    first_row_.clear();
    for (std::int64_t t = begin; t < end; ++t) {
      first_row_.push_back(count());
      const auto running = static_cast<std::int64_t>(results.size());
      for (std::int64_t i = 0; i < running && results[static_cast<std::size_t>(i)]->steps > t; ++i)
        rows_.push_back({i, t});
    }
    first_row_.push_back(count());
  }

  std::int64_t count() const { return static_cast<std::int64_t>(rows_.size()); }
  const Row& operator[](std::int64_t row) const { return rows_[static_cast<std::size_t>(row)]; }
  std::int64_t first_step() const { return begin_; }
  /// The first row of step t of the stretch.
  std::int64_t first_row(std::int64_t t) const { return first_row_[static_cast<std::size_t>(t - begin_)]; }
  /// Trials that still run at step t of the stretch.
  std::int64_t active(std::int64_t t) const { return first_row(t + 1) - first_row(t); }

 private:
  std::int64_t begin_ = 0;
  std::vector<Row> rows_;
  std::vector<std::int64_t> first_row_;  // of each step, and the end
};

}  // namespace brainquant
