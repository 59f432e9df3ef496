// Decodes one trial with a decoding graph, step by step, with the words so far at any time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "brainquant/language_model/language_model.h"
#include "brainquant/language_model/wfst_graph.h"
#include "brainquant/language_model/wfst_options.h"

namespace brainquant {

class NgramRescorer;

/// What happens to a step's logits, as in the public server's decoder:
///   1. log-softmax over the 41 classes; log(blank_penalty) taken off blank.
///   2. If exp of blank's value is above ctc_blank_skip_threshold the step is left out. If the next step that stays
///      has the same best class as the last one that stayed, and it isn't blank, the last step left out is decoded
///      before it.
///   3. All values times acoustic_scale are the search's scores for the labels BLANK, SIL, AA to ZH.
/// One object serves one thread at a time; any number of them share one graph. The same logits give the same results,
/// bit for bit, whatever other threads do.
class WfstStream {
 public:
  /// With a rescorer, made for the same graph, finish() lists the sentences of the rescored lattice; if that has none,
  /// those of the lattice as it was. Throws UsageError for options out of range.
  WfstStream(std::shared_ptr<const WfstGraph> graph, const WfstOptions& options,
             std::shared_ptr<const NgramRescorer> rescorer = nullptr);
  ~WfstStream();
  WfstStream(WfstStream&&) noexcept;
  WfstStream& operator=(WfstStream&&) noexcept;

  /// One step's logits, [41], classes in the model's order (BLANK, AA to ZH, ' | '). Throws WorkError when one is not
  /// finite, FormatError when a graph too large to be checked beforehand turns out to be damaged.
  void push(const float* logits);
  /// The words of the best path so far with single spaces between, "" if there are none. It may change with every step.
  std::string partial() const;
  /// The trial's sentences, at most nbest and all within lattice_beam of the best, best first; none if no step was
  /// decoded.
  ///   acoustic  sum over the path's steps of the values of 2. above (log-likelihoods, unscaled)
  ///   ngram     minus the path's cost in the graph: language model (the rescorer's, with one), lexicon, length penalty
  ///   total     acoustic_scale * acoustic + ngram
  /// Nothing can be pushed after it until reset().
  std::vector<SentenceCandidate> finish();
  /// Begins a new trial.
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
