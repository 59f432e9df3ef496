// The copy-task recordings: DATA/SESSION/data_{train,val,test}.hdf5, one group a trial.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/model/config.h"
#include "brainquant/model/dataset_options.h"
#include "brainquant/support/run_context.h"
#include "io/trial_id.h"

namespace brainquant {

/// One attempted sentence.
struct Trial : TrialId {
  std::size_t index = 0;           // place in the data set's order
  std::int64_t session_index = 0;  // of the day layer
  std::int64_t block = 0;
  std::int64_t trial_num = 0;
  std::string corpus;           // from the CSV; "" if the split is train
  std::int64_t bins = 0;        // T, 20 ms each
  std::vector<float> features;  // [T, n_input_features], as recorded
  std::vector<int> phonemes;    // true classes [seq_len]; empty in test
  std::string sentence;         // sentence_label; empty in test
};

/// The list of trials: sessions in the model's order, trials in name order. Opening reads no features.
/// Not for use by several threads at once: HDF5 is not thread-safe.
class Dataset {
 public:
  /// Sessions without the split's file are skipped and said so (log.info, one line); folders that the model does not
  /// name, and whatever in a file isn't called trial_*, are warned about. The CSV is read for val and test only. Throws
  /// FileError (data_dir or CSV missing), FormatError (a file that isn't HDF5, no trials at all, a session in
  /// `sessions` that the model lacks, a CSV that lacks a column, has two corpora for one block or control bytes in what
  /// is used), UsageError (max_trials below 1).
  Dataset(const DecoderConfig& config, const DatasetOptions& options, const RunContext& context = {});
  ~Dataset();
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  std::size_t size() const;
  /// TrialId::label(), without reading the trial.
  std::string label(std::size_t index) const;
  std::int64_t session_index(std::size_t index) const;
  /// Values in a bin, the model's n_input_features.
  std::int64_t features_per_bin() const;
  /// Number of bins without reading the features. Throws FormatError (no input_features, a wrong shape).
  std::int64_t bins(std::size_t index);

  /// Throws FormatError naming file and trial: missing or wrong data sets and attributes, another session than the
  /// folder's, n_time_steps that isn't the number of rows, a wrong feature count, more than a million bins, NaN,
  /// infinity or a magnitude above kLargestMagnitude, labels out of 1 to n_classes - 1, fewer labels than seq_len, a
  /// block the CSV doesn't have. `transcription`, which nothing uses, is not read.
  Trial read(std::size_t index);

  /// Text that changes when the data does: path relative to data_dir, size and modification time of every file used
  /// (and of the CSV), and the selection of sessions and trials.
  std::string fingerprint() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
