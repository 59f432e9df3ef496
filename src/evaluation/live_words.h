// Words while the logits come: the embedded language model beside a streaming run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "brainquant/evaluation/evaluator.h"
#include "brainquant/language_model/wfst_language_model.h"
#include "evaluation/pipeline.h"
#include "evaluation/sentence_stage.h"
#include "evaluation/trial_result.h"

namespace brainquant {

class LiveWords final : public StreamWatcher {
 public:
  /// Both must outlive it. Throws UsageError when the decoder's classes are not the language model's.
  LiveWords(const WfstLanguageModel& language_model, Candidates rest, std::int64_t classes,
            const WordsListener& listener);

  void begin(const Trial& trial) override;
  void step(const float* logits, std::int64_t bins) override;
  void end() override;

  /// What the trials seen so far ended with, by index: what WfstLanguageModel::decode() says of the same logits.
  const std::map<std::size_t, MadeSentence>& sentences() const { return sentences_; }

 private:
  const WfstLanguageModel& language_model_;
  const Candidates rest_;
  const WordsListener& listener_;
  WfstStream stream_;
  std::size_t index_ = 0;  // of the trial
  WordsSoFar said_;
  std::map<std::size_t, MadeSentence> sentences_;
};

}  // namespace brainquant
