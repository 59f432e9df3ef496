#include "brainquant/language_model/wfst_language_model.h"

#include <fmt/format.h>

#include <utility>

#include "brainquant/support/error.h"
#include "language_model/ngram_rescorer.h"

namespace brainquant {
namespace {

constexpr std::int64_t kStepsBetweenChecks = 64;

}  // namespace

WfstLanguageModel::WfstLanguageModel(const std::filesystem::path& lm_dir, const WfstOptions& options,
                                     const std::filesystem::path& rescore_lm)
    : options_(options) {
  options_.validate();
  graph_ = std::make_shared<const WfstGraph>(lm_dir);
  if (!rescore_lm.empty()) rescorer_ = std::make_shared<const NgramRescorer>(*graph_, rescore_lm);
}

WfstLanguageModel::WfstLanguageModel(const WfstLanguageModel& other, const WfstOptions& options)
    : options_(options), graph_(other.graph_), rescorer_(other.rescorer_) {
  options_.validate();
}

std::string WfstLanguageModel::description() const {
  // "models/english/" names the folder english too.
  const std::filesystem::path folder = graph_->folder();
  return "wfst:" + (folder.has_filename() ? folder : folder.parent_path()).filename().string();
}

WfstStream WfstLanguageModel::stream(std::int64_t classes) const {
  if (classes != kGraphClasses) {
    throw UsageError(fmt::format("a language model needs {} classes, the decoder has {}", kGraphClasses, classes));
  }
  return WfstStream(graph_, options_, rescorer_);
}

std::vector<SentenceCandidate> WfstLanguageModel::decode(const LogitsView& logits, const RunContext& context) {
  WfstStream decoder = stream(logits.classes);
  for (std::int64_t t = 0; t < logits.steps; ++t) {
    if (t % kStepsBetweenChecks == 0) context.cancel.check();
    decoder.push(logits.values + t * logits.classes);
  }
  return decoder.finish();
}

}  // namespace brainquant
