// Finished trials of an evaluation that is under way, kept on disk so that a run that was killed goes on where it
// stopped.
//
// Two files: NAME holds a line of JSON for the run key of the evaluation and one for every finished trial or sentence,
// each with its CRC-32 and durable before the next is begun; NAME.logits, only when logits are needed later, holds
// their float32 values one trial after the other. What an interrupted append left behind is dropped when the journal is
// opened again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "brainquant/runtime/engine.h"
#include "brainquant/support/run_context.h"
#include "brainquant/support/run_key.h"
#include "evaluation/trial_result.h"
#include "support/run_lock.h"

namespace brainquant {

class Journal {
 public:
  /// Files that a run has begun to write results to.
  using OutputNames = std::set<std::string>;

  /// Opens or begins the journal, under a lock (NAME.lock) that is held until it is destroyed. Trials of an earlier run
  /// are taken over only if it had the same key and kept logits, should they be needed; otherwise they are dropped, and
  /// context.log says why; `accept` is called before anything is changed, with the outputs that the earlier part of
  /// this very run wrote, and what it throws leaves everything as it was. `trials` is the data set's size and `classes`
  /// the model's. Throws FileError, and what RunLock throws.
  Journal(const std::filesystem::path& path, const RunKey& key, bool keep_logits, std::size_t trials,
          std::int64_t classes, WhenLocked when = WhenLocked::refuse, const RunContext& context = {},
          const std::function<void(const OutputNames&)>& accept = {});
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// What earlier runs finished, and what was added since, by index.
  const std::map<std::size_t, TrialResult>& trials() const;

  /// Adds finished trials; `logits` are theirs, looked at only if the journal keeps logits. Durable on return.
  void add(const std::vector<TrialResult>& results, const std::vector<Logits>& logits);
  /// Notes that results are about to be written to `path`, so that a run that goes on knows them for its own.
  void add_output(const std::filesystem::path& path);
  /// Adds what the language model made of a trial that is there already. Durable on return.
  void add_sentence(std::size_t index, const std::string& language_model, const MadeSentence& sentence);
  /// Forgets sentences that another language model made, and those without candidates if these are needed.
  void keep_sentences_of(const std::string& language_model, bool with_candidates = false);

  /// A trial's logits, if the journal keeps them. Throws FileError.
  Logits logits(std::size_t index) const;

  /// Removes the files: everything is in its final place.
  void remove();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
