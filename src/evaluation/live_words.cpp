#include "evaluation/live_words.h"

#include <chrono>
#include <utility>
#include <vector>

namespace brainquant {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

LiveWords::LiveWords(const WfstLanguageModel& language_model, std::int64_t classes, const WordsListener& listener)
    : language_model_(language_model), listener_(listener), stream_(language_model.stream(classes)) {}

void LiveWords::begin(const Trial& trial) {
  index_ = trial.index;
  said_ = {trial.session + "/" + trial.name, 0, "", false};
  sentences_[index_] = {};
  stream_.reset();
}

void LiveWords::step(const float* logits, std::int64_t bins) {
  const Clock::time_point start = Clock::now();
  stream_.push(logits);
  std::string words = stream_.partial();
  sentences_[index_].seconds += seconds_since(start);
  said_.bins = bins;
  if (words == said_.words) return;
  said_.words = std::move(words);
  listener_(said_);
}

void LiveWords::end() {
  const Clock::time_point start = Clock::now();
  const std::vector<SentenceCandidate> candidates = stream_.finish();
  Sentence& sentence = sentences_[index_];
  if (!candidates.empty()) sentence.text = candidates.front().sentence;
  sentence.seconds += seconds_since(start);
  said_.words = sentence.text;
  said_.final = true;
  listener_(said_);
}

}  // namespace brainquant
