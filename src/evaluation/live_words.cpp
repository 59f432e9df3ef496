#include "evaluation/live_words.h"

#include <utility>

#include "support/seconds_since.h"

namespace brainquant {

LiveWords::LiveWords(const WfstLanguageModel& language_model, Candidates rest, std::int64_t classes,
                     const WordsListener& listener)
    : language_model_(language_model), rest_(rest), listener_(listener), stream_(language_model.stream(classes)) {}

void LiveWords::begin(const Trial& trial) {
  index_ = trial.index;
  said_ = {trial.label(), 0, "", false};
  sentences_[index_] = {};
  stream_.reset();
}

void LiveWords::step(const float* logits, std::int64_t bins) {
  const SteadyClock::time_point start = SteadyClock::now();
  stream_.push(logits);
  std::string words = stream_.partial();
  sentences_[index_].seconds += seconds_since(start);
  said_.bins = bins;
  if (words == said_.words) return;
  said_.words = std::move(words);
  listener_(said_);
}

void LiveWords::end() {
  const SteadyClock::time_point start = SteadyClock::now();
  MadeSentence& sentence = sentences_[index_];
  const double seconds_before = sentence.seconds;
  sentence = best_of(stream_.finish(), rest_);
  sentence.seconds = seconds_before + seconds_since(start);
  said_.words = sentence.text;
  said_.final = true;
  listener_(said_);
}

}  // namespace brainquant
