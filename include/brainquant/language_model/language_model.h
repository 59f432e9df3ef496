// What turns a trial's logits into sentences.
#pragma once

#include <string>
#include <vector>

#include "brainquant/model/logits_view.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// One sentence that the language model thinks possible. Higher scores are better.
struct SentenceCandidate {
  std::string sentence;
  double acoustic = 0;
  double ngram = 0;
  double llm = 0;
  double total = 0;
};

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  /// What identifies it in results ("redis://localhost:6379/0").
  virtual std::string description() const = 0;
  /// Returns when the model can be asked: call it before work that would be in vain without sentences. A model in this
  /// process always can. Throws ServerError when a server is absent or silent, Interrupted when context.cancel is set.
  virtual void await_ready(const RunContext& /*context*/) {}
  /// Candidates of one trial, best (highest total) first, sentences distinct; none if nothing was recognised.
  /// Throws ServerError when a server is absent, silent or gone.
  virtual std::vector<SentenceCandidate> decode(const LogitsView& logits, const RunContext& context) = 0;
};

}  // namespace brainquant
