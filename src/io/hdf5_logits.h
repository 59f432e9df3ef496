// Files of logits: what an evaluation saves for people with their own language model, and for comparing two
// evaluations.
//
// Layout: SESSION/TRIAL ("t15.2023.08.11/trial_0000") is a float32 data set [steps, classes] with the attributes
// session (string), block_num and trial_num (integers). The root's attribute `complete` is 1 when everything that was
// begun is in the file; it is 0 while trials are being added, so that a file whose writer died is not taken for a whole
// one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/trial_id.h"

namespace brainquant {

/// One trial's logits as they are written. The memory is the caller's.
struct LogitsEntry : TrialId {
  std::int64_t block = 0;
  std::int64_t trial_num = 0;
  std::int64_t steps = 0;  // may be 0
  std::int64_t classes = 0;
  const float* values = nullptr;  // [steps, classes], row-major
};

/// Adds trials to a file. Any function throws FileError when the system refuses to write. A disk found to be full costs
/// the trial that was to be written; those before it can still be flushed.
class LogitsFileWriter {
 public:
  /// Creates the file, or goes on with one that is there. Throws FileError (cannot be created or opened), FormatError
  /// (a file that is not one of logits, or whose writer died while adding to it: to be deleted and begun anew).
  explicit LogitsFileWriter(std::filesystem::path path);
  /// flush(), as far as that works.
  ~LogitsFileWriter();
  LogitsFileWriter(const LogitsFileWriter&) = delete;
  LogitsFileWriter& operator=(const LogitsFileWriter&) = delete;

  bool has(const TrialId& trial) const;
  /// Adds a trial, or replaces it.
  void write(const LogitsEntry& entry);
  /// Everything written so far is then on the disk, and the file is complete.
  void flush();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct StoredLogits {
  std::int64_t steps = 0;
  std::int64_t classes = 0;
  std::vector<float> values;  // [steps, classes]
};

class LogitsFileReader {
 public:
  /// Throws FileError (missing), FormatError (not a file of logits, or not complete).
  explicit LogitsFileReader(std::filesystem::path path);
  ~LogitsFileReader();
  LogitsFileReader(const LogitsFileReader&) = delete;
  LogitsFileReader& operator=(const LogitsFileReader&) = delete;

  /// TrialId::label() of every trial, in byte order.
  const std::vector<std::string>& labels() const;
  /// Throws FormatError (no such trial, a wrong type or shape, damaged).
  StoredLogits read(const std::string& label);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
