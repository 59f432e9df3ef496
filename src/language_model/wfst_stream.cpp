#include "brainquant/language_model/wfst_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_set>
#include <utility>

#include "brainquant/support/error.h"
#include "language_model/ngram_rescorer.h"
#include "language_model/wfst_search.h"
#include "language_model/word_table.h"

namespace brainquant {
namespace {

constexpr int kModelSilence = 40;

/// The position in the model's order of the class at a position of the graph's order.
constexpr int model_class(int graph_class) {
  if (graph_class == 0) return 0;
  return graph_class == 1 ? kModelSilence : graph_class - 1;
}

using Scores = std::array<float, kGraphClasses>;

}  // namespace

struct WfstStream::Impl {
  Impl(std::shared_ptr<const WfstGraph> g, const WfstOptions& o, std::shared_ptr<const NgramRescorer> r)
      : graph(std::move(g)),
        rescorer(std::move(r)),
        options(o),
        log_blank_penalty(std::log(o.blank_penalty)),
        search(graph->fst(), o) {}

  Scores log_likelihoods(const float* logits) const {
    double largest = -std::numeric_limits<double>::infinity();
    for (int c = 0; c < kGraphClasses; ++c) {
      if (!std::isfinite(logits[c])) {
        throw WorkError(fmt::format("step {}: the logit of class {} is {}", steps, c, logits[c]));
      }
      largest = std::max(largest, static_cast<double>(logits[c]));
    }
    double sum = 0;
    for (int c = 0; c < kGraphClasses; ++c) sum += std::exp(logits[c] - largest);
    const double log_sum = largest + std::log(sum);
    Scores scores{};
    for (int g = 0; g < kGraphClasses; ++g) scores[g] = static_cast<float>(logits[model_class(g)] - log_sum);
    scores[0] -= log_blank_penalty;
    return scores;
  }

  void decode(const Scores& scores) {
    Scores costs{};
    for (int g = 0; g < kGraphClasses; ++g) costs[g] = -options.acoustic_scale * scores[g];
    search.push(costs.data(), kGraphClasses);
  }

  /// Labels that name no word say nothing; labels that words.txt doesn't know can only come from an unchecked graph.
  std::int32_t spoken(std::int32_t label) const {
    const WordTable& words = graph->words();
    if (label < 0 || label > words.max_id() || words.word(label).empty()) {
      throw FormatError(graph->fst().path(), "arcs", fmt::format("output label {}", label),
                        "a label that " + words.path() + " names");
    }
    return words.special(label) ? 0 : label;
  }

  std::string text(const std::vector<std::int32_t>& labels) const {
    std::string text;
    for (const std::int32_t label : labels) {
      if (spoken(label) == 0) continue;
      if (!text.empty()) text += ' ';
      text += graph->words().word(label);
    }
    return text;
  }

  /// The best sentences of the lattice, rescored if that was asked for and the models can say any.
  std::vector<WordSequence> best_sentences(const WordLattice& lattice) const {
    if (rescorer) {
      const WordLattice rescored = rescorer->rescored(lattice, options.lattice_beam);
      std::vector<WordSequence> sentences = best_word_sequences(rescored, options.nbest, options.lattice_beam);
      if (!sentences.empty()) return sentences;
    }
    return best_word_sequences(lattice, options.nbest, options.lattice_beam);
  }

  std::shared_ptr<const WfstGraph> graph;
  std::shared_ptr<const NgramRescorer> rescorer;
  WfstOptions options;
  float log_blank_penalty;
  WfstSearch search;
  std::int64_t steps = 0;
  bool left_out = false;  // the last step was
  Scores last_left_out{};
  int last_best = 0;
};

WfstStream::WfstStream(std::shared_ptr<const WfstGraph> graph, const WfstOptions& options,
                       std::shared_ptr<const NgramRescorer> rescorer) {
  options.validate();
  impl_ = std::make_unique<Impl>(std::move(graph), options, std::move(rescorer));
}

WfstStream::~WfstStream() = default;
WfstStream::WfstStream(WfstStream&&) noexcept = default;
WfstStream& WfstStream::operator=(WfstStream&&) noexcept = default;

void WfstStream::push(const float* logits) {
  Impl& s = *impl_;
  const Scores scores = s.log_likelihoods(logits);
  ++s.steps;
  if (std::exp(scores[0]) > s.options.ctc_blank_skip_threshold) {
    s.left_out = true;
    s.last_left_out = scores;
    return;
  }
  const int best = static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  if (best != 0 && s.left_out && best == s.last_best) s.decode(s.last_left_out);
  s.last_best = best;
  s.left_out = false;
  s.decode(scores);
}

std::string WfstStream::partial() const { return impl_->text(impl_->search.best_words()); }

std::vector<SentenceCandidate> WfstStream::finish() {
  Impl& s = *impl_;
  if (s.search.frames() == 0) return {};
  WordLattice lattice = s.search.finish();
  for (WordLattice::Arc& arc : lattice.arcs) arc.word = s.spoken(arc.word);

  std::vector<SentenceCandidate> candidates;
  std::unordered_set<std::string> seen;
  const double scale = s.options.acoustic_scale;
  for (const WordSequence& sequence : s.best_sentences(lattice)) {
    SentenceCandidate candidate;
    candidate.sentence = s.text(sequence.words);
    // Two labels may name the same word.
    if (!seen.insert(candidate.sentence).second) continue;
    candidate.acoustic = -sequence.acoustic / scale;
    candidate.ngram = -sequence.graph;
    candidate.total = scale * candidate.acoustic + candidate.ngram;
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

void WfstStream::reset() {
  impl_->search.reset();
  impl_->steps = 0;
  impl_->left_out = false;
  impl_->last_best = 0;
}

}  // namespace brainquant
