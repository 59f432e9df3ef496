#include "brainquant/decoding/ngram_rescorer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "brainquant/support/error.h"
#include "decoding/arpa_model.h"
#include "decoding/grammar_fst.h"

namespace brainquant {
namespace {

constexpr std::array<const char*, 3> kOldModels = {"G.fst", "lm.arpa", "lm.arpa.gz"};

std::filesystem::path find_old_model(const std::filesystem::path& folder) {
  for (const char* name : kOldModels) {
    std::error_code ignored;
    if (std::filesystem::exists(folder / name, ignored)) return folder / name;
  }
  throw UsageError("rescoring takes the first model's score off first, so " + folder.string() +
                   " needs that model: G.fst, lm.arpa or lm.arpa.gz");
}

std::vector<std::string> split_words(const std::string& sentence) {
  std::istringstream stream(sentence);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

std::unique_ptr<const SentenceScorer> open_sentence_scorer(const std::filesystem::path& path, const WordTable& words) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError(path.string(), "can't be opened");
  std::array<char, 4> magic{};
  file.read(magic.data(), magic.size());
  std::int32_t number = 0;
  std::memcpy(&number, magic.data(), sizeof(number));
  if (number == kOpenFstMagic) return std::make_unique<const GrammarFst>(path, words);
  return std::make_unique<const ArpaModel>(path);
}

NgramRescorer::NgramRescorer(const WfstGraph& graph, const std::filesystem::path& new_model)
    : old_model_(open_sentence_scorer(find_old_model(graph.folder()), graph.words())),
      new_model_(open_sentence_scorer(new_model, graph.words())) {}

std::vector<SentenceCandidate> NgramRescorer::rescore(std::vector<SentenceCandidate> candidates,
                                                      double acoustic_scale) const {
  std::vector<SentenceCandidate> rescored;
  for (const SentenceCandidate& candidate : candidates) {
    const std::vector<std::string> words = split_words(candidate.sentence);
    const std::optional<double> old_score = old_model_->log_probability(words);
    const std::optional<double> new_score = new_model_->log_probability(words);
    if (!old_score || !new_score) continue;
    SentenceCandidate changed = candidate;
    changed.ngram += *new_score - *old_score;
    changed.total = acoustic_scale * changed.acoustic + changed.ngram;
    rescored.push_back(std::move(changed));
  }
  if (rescored.empty()) return candidates;
  std::stable_sort(rescored.begin(), rescored.end(),
                   [](const SentenceCandidate& a, const SentenceCandidate& b) { return a.total > b.total; });
  return rescored;
}

}  // namespace brainquant
