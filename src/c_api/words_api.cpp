// Words and phonemes of logits, for C.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "brainquant/c_api.h"
#include "brainquant/language_model/wfst_language_model.h"
#include "c_api/guarded.h"
#include "language_model/ngram_rescorer.h"
#include "model/classes.h"
#include "scoring/phonemes.h"

using namespace brainquant;
using namespace brainquant::c_api;

struct bq_graph {
  std::shared_ptr<const WfstGraph> graph;
  std::shared_ptr<const NgramRescorer> rescorer;
};

struct bq_words {
  WfstStream stream;
  std::string partial;
  std::vector<SentenceCandidate> sentences;
};

namespace {

const char* text_of(const char* text, const char* name) {
  require(text, name);
  return text;
}

WfstOptions options_of(const bq_option* options, std::int64_t count) {
  if (count < 0) throw ArgumentError(fmt::format("count: found {}, expected at least 0", count));
  if (count > 0) require(options, "options");
  WfstOptions result;
  // The preset first, wherever it stands: the others take the place of its values.
  for (std::int64_t i = 0; i < count; ++i) {
    if (text_of(options[i].name, "an option's name") == std::string("lm_preset")) {
      result = WfstOptions::preset(text_of(options[i].value, "lm_preset"));
    }
  }
  const OptionList list = list_options(result);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string name = options[i].name;
    if (name != "lm_preset") list.at(name).set(text_of(options[i].value, options[i].name));
  }
  result.validate();
  return result;
}

}  // namespace

int bq_graph_open(const char* folder, const char* rescore_lm, bq_graph** graph) {
  return guarded([&]() -> int {
    require(folder, "folder");
    require(graph, "graph");
    *graph = nullptr;
    auto opened = std::make_unique<bq_graph>();
    opened->graph = std::make_shared<const WfstGraph>(folder);
    if (rescore_lm != nullptr) opened->rescorer = std::make_shared<const NgramRescorer>(*opened->graph, rescore_lm);
    *graph = opened.release();
    return BQ_OK;
  });
}

void bq_graph_close(bq_graph* graph) { delete graph; }

int bq_words_create(const bq_graph* graph, const bq_option* options, int64_t count, bq_words** words) {
  return guarded([&]() -> int {
    require(graph, "graph");
    require(words, "words");
    *words = nullptr;
    *words = new bq_words{WfstStream(graph->graph, options_of(options, count), graph->rescorer), {}, {}};
    return BQ_OK;
  });
}

void bq_words_free(bq_words* words) { delete words; }

int bq_words_push(bq_words* words, const float* logits) {
  return guarded([&]() -> int {
    require(words, "words");
    require(logits, "logits");
    words->stream.push(logits);
    return BQ_OK;
  });
}

const char* bq_words_partial(bq_words* words) {
  const char* text = nullptr;
  guarded([&]() -> int {
    require(words, "words");
    words->partial = words->stream.partial();
    text = words->partial.c_str();
    return BQ_OK;
  });
  return text;
}

int64_t bq_words_finish(bq_words* words) {
  return guarded([&]() -> std::int64_t {
    require(words, "words");
    words->sentences = words->stream.finish();
    return static_cast<std::int64_t>(words->sentences.size());
  });
}

int bq_words_sentence(const bq_words* words, int64_t rank, bq_sentence* sentence) {
  return guarded([&]() -> int {
    require(words, "words");
    require(sentence, "sentence");
    const auto count = static_cast<std::int64_t>(words->sentences.size());
    if (rank < 0 || rank >= count) {
      throw UsageError(
          fmt::format("sentence: found rank {}, expected 0 to {} after bq_words_finish()", rank, count - 1));
    }
    const SentenceCandidate& candidate = words->sentences[static_cast<std::size_t>(rank)];
    *sentence = {candidate.sentence.c_str(), candidate.acoustic, candidate.ngram, candidate.total};
    return BQ_OK;
  });
}

int bq_words_reset(bq_words* words) {
  return guarded([&]() -> int {
    require(words, "words");
    words->stream.reset();
    words->sentences.clear();
    return BQ_OK;
  });
}

const char* bq_class_name(int64_t class_index) {
  const char* name = nullptr;
  guarded([&]() -> int {
    const auto count = static_cast<std::int64_t>(kPhonemeNames.size());
    if (class_index < 0 || class_index >= count) {
      throw UsageError(fmt::format("class: found {}, expected 0 to {}", class_index, count - 1));
    }
    name = kPhonemeNames[static_cast<std::size_t>(class_index)].data();
    return BQ_OK;
  });
  return name;
}

int64_t bq_phonemes(const float* logits, int64_t steps, int64_t classes, int ctc_order, int32_t* phonemes,
                    int64_t capacity) {
  return guarded([&]() -> std::int64_t {
    if (steps < 0) throw ArgumentError(fmt::format("steps: found {}, expected at least 0", steps));
    if (classes < 1) throw ArgumentError(fmt::format("classes: found {}, expected at least 1", classes));
    if (capacity < 0) throw ArgumentError(fmt::format("capacity: found {}, expected at least 0", capacity));
    if (steps > 0) require(logits, "logits");
    if (capacity > 0) require(phonemes, "phonemes");
    for (std::int64_t i = 0; i < steps * classes; ++i) {
      if (!std::isfinite(logits[i])) throw WorkError(fmt::format("step {}: a logit is not finite", i / classes));
    }
    const std::vector<int> best = argmax_classes({logits, steps, classes});
    const std::vector<int> found = ctc_order != 0 ? collapse_ctc(best) : collapse_published(best);
    if (static_cast<std::int64_t>(found.size()) > capacity) {
      throw ArgumentError(fmt::format("found room for {} phonemes, expected {}", capacity, found.size()));
    }
    std::copy(found.begin(), found.end(), phonemes);
    return static_cast<std::int64_t>(found.size());
  });
}
