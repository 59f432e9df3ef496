// Words while the logits come: the embedded language model beside a streaming run.
#pragma once

#include <string>

#include "brainquant/decoding/wfst_language_model.h"
#include "brainquant/evaluation/evaluator.h"
#include "brainquant/evaluation/pipeline.h"

namespace brainquant {

class LiveWords final : public StreamWatcher {
 public:
  /// Both must outlive it.
  LiveWords(const WfstLanguageModel& language_model, const WordsListener& listener)
      : language_model_(language_model), listener_(listener), stream_(language_model.stream()) {}

  void begin(const Trial& trial) override {
    said_ = {trial.session + "/" + trial.name, 0, "", false};
    stream_.reset();
  }

  void step(const float* logits, std::int64_t bins) override {
    stream_.push(logits);
    said_.bins = bins;
    std::string words = stream_.partial();
    if (words == said_.words) return;
    said_.words = std::move(words);
    listener_(said_);
  }

  void end() override {
    const std::vector<SentenceCandidate> candidates = language_model_.rescore(stream_.finish());
    said_.words = candidates.empty() ? "" : candidates.front().sentence;
    said_.final = true;
    listener_(said_);
  }

 private:
  const WfstLanguageModel& language_model_;
  const WordsListener& listener_;
  WfstStream stream_;
  WordsSoFar said_;
};

}  // namespace brainquant
