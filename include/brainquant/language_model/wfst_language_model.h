// Sentences without a server: a decoding graph searched in this process.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "brainquant/language_model/language_model.h"
#include "brainquant/language_model/wfst_graph.h"
#include "brainquant/language_model/wfst_options.h"
#include "brainquant/language_model/wfst_stream.h"

namespace brainquant {

class WfstLanguageModel final : public LanguageModel {
 public:
  /// Opens `lm_dir` (see WfstGraph). With a `rescore_lm`, an ARPA model, gzipped or not, or a grammar (G.fst), each
  /// trial's lattice gets that model's score instead of the one that it was searched with; `lm_dir` must then have
  /// G.fst, lm.arpa or lm.arpa.gz (docs/language-models.md). Throws UsageError when it has none, FileError,
  /// FormatError.
  WfstLanguageModel(const std::filesystem::path& lm_dir, const WfstOptions& options,
                    const std::filesystem::path& rescore_lm = {});

  /// The same graph and rescoring, shared and not read again, with other options. Throws UsageError.
  WfstLanguageModel(const WfstLanguageModel& other, const WfstOptions& options);

  /// "wfst:" and the folder's name.
  std::string description() const override;
  /// Any number of threads may call it at once: the graph is shared, everything else is the call's own. The result
  /// depends on the logits, the graph and the options alone. Scores as in WfstStream::finish(); `llm` is 0. Throws
  /// UsageError when the logits don't have 41 classes, WorkError when one is not finite, Interrupted.
  std::vector<SentenceCandidate> decode(const LogitsView& logits, const RunContext& context) override;

  /// A decoder for one trial at a time, for words while the logits, with so many classes, are still coming. Its
  /// finish() gives what decode() gives. Throws UsageError when there aren't 41 classes.
  WfstStream stream(std::int64_t classes) const;

  const WfstGraph& graph() const { return *graph_; }
  const WfstOptions& options() const { return options_; }

 private:
  WfstOptions options_;
  std::shared_ptr<const WfstGraph> graph_;
  std::shared_ptr<const NgramRescorer> rescorer_;
};

}  // namespace brainquant
