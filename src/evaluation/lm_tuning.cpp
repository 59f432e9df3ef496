#include "evaluation/lm_tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <tuple>
#include <utility>

#include "brainquant/support/error.h"
#include "evaluation/pipeline.h"
#include "quantization/calibration.h"
#include "support/parallel_for.h"

namespace brainquant {

namespace {

constexpr double kCoarseAcoustic[] = {0.5, 0.7, 1, 1.4, 2};
constexpr double kCoarseBlank[] = {0.1, 0.3, 1, 3, 10};
constexpr double kFineAcoustic[] = {0.85, 1, 1.2};
constexpr double kFineBlank[] = {0.6, 1, 1.7};

// So that the pair that is printed and stored is the pair that was tried.
double rounded(double value) { return std::stod(fmt::format("{:.4g}", value)); }

struct TuningTrial {
  std::string label;
  Logits logits;
  std::vector<std::string> words;  // true ones
};

class Tuning {
 public:
  Tuning(const WfstLanguageModel& language_model, const TuningSettings& settings, const RunContext& context)
      : language_model_(language_model),
        settings_(settings),
        context_(context),
        start_{rounded(language_model.options().acoustic_scale), rounded(language_model.options().blank_penalty)} {}

  LmTuning run(Engine& engine, Dataset& train) {
    decode(engine, train);
    for (const TuningTrial& trial : trials_) {
      result_.trials.push_back(trial.label);
      result_.true_words += static_cast<std::int64_t>(trial.words.size());
    }
    if (result_.true_words == 0) {
      throw WorkError(fmt::format("--tune_lm: the {} trials of the train split have no words", trials_.size()));
    }
    try_around(start_, kCoarseAcoustic, kCoarseBlank);
    try_around(best_scales(result_, start_), kFineAcoustic, kFineBlank);
    std::sort(result_.tried.begin(), result_.tried.end(), [](const TriedScales& a, const TriedScales& b) {
      return std::pair(a.acoustic_scale, a.blank_penalty) < std::pair(b.acoustic_scale, b.blank_penalty);
    });
    return std::move(result_);
  }

 private:
  void decode(Engine& engine, Dataset& train) {
    const std::vector<std::size_t> order = choose_calibration_trials(train, settings_.trials);
    if (static_cast<std::int64_t>(order.size()) < settings_.trials) {
      context_.log.info(fmt::format("--tune_lm: the train split has only {} trials", order.size()));
    }
    PipelineOptions pipeline;
    pipeline.batch_size = settings_.batch_size;
    StepTimes no_times;
    run_pipeline(
        train, order, engine, pipeline,
        [this](std::vector<DecodedTrial> batch) {
          for (DecodedTrial& decoded : batch) {
            trials_.push_back({decoded.trial.label(), std::move(decoded.logits),
                               words_of(normalize_sentence(decoded.trial.sentence))});
          }
        },
        no_times, context_);
    // They come out by their lengths.
    std::sort(trials_.begin(), trials_.end(),
              [](const TuningTrial& a, const TuningTrial& b) { return a.label < b.label; });
  }

  template <std::size_t A, std::size_t B>
  void try_around(const LmScales& center, const double (&acoustic)[A], const double (&blank)[B]) {
    std::vector<LmScales> pairs;
    for (const double a : acoustic) {
      for (const double b : blank) {
        const LmScales pair{rounded(a * center.acoustic_scale), rounded(b * center.blank_penalty)};
        if (!was_tried(pair)) pairs.push_back(pair);
      }
    }
    try_pairs(pairs);
  }

  bool was_tried(const LmScales& pair) const {
    return std::any_of(result_.tried.begin(), result_.tried.end(), [&](const LmScales& tried) {
      return tried.acoustic_scale == pair.acoustic_scale && tried.blank_penalty == pair.blank_penalty;
    });
  }

  void try_pairs(const std::vector<LmScales>& pairs) {
    std::vector<WfstLanguageModel> models;
    for (const LmScales& pair : pairs) {
      WfstOptions options = language_model_.options();
      options.acoustic_scale = static_cast<float>(pair.acoustic_scale);
      options.blank_penalty = static_cast<float>(pair.blank_penalty);
      models.emplace_back(language_model_, options);
    }
    std::vector<std::int64_t> distances(pairs.size());
    std::mutex mutex;  // of the distances and the progress
    std::int64_t done = 0;
    const std::size_t total = trials_.size() * pairs.size();
    parallel_for("tuning the language model", total, settings_.threads, [&](std::size_t at) {
      context_.cancel.check();
      const TuningTrial& trial = trials_[at / pairs.size()];
      const std::size_t which = at % pairs.size();
      const auto candidates =
          models[which].decode({trial.logits.values.data(), trial.logits.steps, trial.logits.classes}, context_);
      const std::string sentence = candidates.empty() ? "" : candidates.front().sentence;
      const std::int64_t distance = edit_counts(trial.words, words_of(normalize_sentence(sentence))).distance();
      const std::lock_guard lock(mutex);
      distances[which] += distance;
      context_.progress.update("tuning", ++done, static_cast<std::int64_t>(total));
    });
    for (std::size_t i = 0; i < pairs.size(); ++i) result_.tried.push_back({pairs[i], distances[i]});
  }

  const WfstLanguageModel& language_model_;
  const TuningSettings& settings_;
  const RunContext& context_;
  const LmScales start_;
  std::vector<TuningTrial> trials_;
  LmTuning result_;
};

}  // namespace

LmTuning tune_language_model(const WfstLanguageModel& language_model, Engine& engine, Dataset& train,
                             const TuningSettings& settings, const RunContext& context) {
  return Tuning(language_model, settings, context).run(engine, train);
}

LmScales best_scales(const LmTuning& tuning, const LmScales& start) {
  const auto rank = [&](const TriedScales& tried) {
    const double away = std::abs(std::log2(tried.acoustic_scale / start.acoustic_scale)) +
                        std::abs(std::log10(tried.blank_penalty / start.blank_penalty));
    return std::tuple(tried.word_distance, away, tried.acoustic_scale, tried.blank_penalty);
  };
  const auto best = std::min_element(tuning.tried.begin(), tuning.tried.end(),
                                     [&](const TriedScales& a, const TriedScales& b) { return rank(a) < rank(b); });
  return best == tuning.tried.end() ? start : static_cast<const LmScales&>(*best);
}

}  // namespace brainquant
