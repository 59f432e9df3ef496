#include "evaluation/sentence_stage.h"

#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "support/parallel_for.h"

namespace brainquant {

namespace {

class SentenceStage {
 public:
  SentenceStage(LanguageModel& language_model, const std::string& maker, Candidates rest, Journal& journal,
                const RunContext& context)
      : language_model_(language_model), maker_(maker), rest_(rest), journal_(journal), context_(context) {
    journal.keep_sentences_of(maker, rest == Candidates::keep);
    for (const auto& [index, trial] : journal.trials()) {
      if (!trial.sentence) waiting_.push_back(index);
    }
    total_ = static_cast<std::int64_t>(journal.trials().size());
    done_ = total_ - static_cast<std::int64_t>(waiting_.size());
  }

  void run(int threads) {
    context_.progress.update("sentences", done_, total_);
    parallel_for("making sentences", waiting_.size(), threads, [this](std::size_t at) {
      context_.cancel.check();
      ask(waiting_[at]);
    });
  }

 private:
  void ask(std::size_t index) {
    const auto start = std::chrono::steady_clock::now();
    Logits logits;
    {
      const std::lock_guard lock(mutex_);
      logits = journal_.logits(index);
    }
    std::vector<SentenceCandidate> candidates =
        language_model_.decode({logits.values.data(), logits.steps, logits.classes}, context_);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const std::lock_guard lock(mutex_);
    MadeSentence made = best_of(std::move(candidates), rest_);
    made.seconds = seconds.count();
    journal_.add_sentence(index, maker_, made);
    context_.progress.update("sentences", ++done_, total_);
  }

  LanguageModel& language_model_;
  const std::string& maker_;
  const Candidates rest_;
  Journal& journal_;
  const RunContext& context_;
  std::vector<std::size_t> waiting_;
  std::mutex mutex_;  // of the journal and the rest below
  std::int64_t total_ = 0;
  std::int64_t done_ = 0;
};

}  // namespace

MadeSentence best_of(std::vector<SentenceCandidate> candidates, Candidates rest) {
  MadeSentence made;
  if (!candidates.empty()) made.text = candidates[0].sentence;
  if (candidates.size() > 1) made.margin = candidates[0].total - candidates[1].total;
  if (rest == Candidates::keep) made.candidates = std::move(candidates);
  return made;
}

void make_sentences(LanguageModel& language_model, const std::string& maker, Candidates rest, int threads,
                    Journal& journal, const RunContext& context) {
  SentenceStage(language_model, maker, rest, journal, context).run(threads);
}

}  // namespace brainquant
