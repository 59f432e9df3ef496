#include "brainquant/language_model/wfst_graph.h"

#include "brainquant/support/error.h"
#include "language_model/fst_file.h"
#include "language_model/word_table.h"

namespace brainquant {
namespace {

constexpr std::uint64_t kCheckedBytes = std::uint64_t{4} << 30;

void check_words(const FstFile& fst, const WordTable& words) {
  for (std::int32_t s = 0; s < fst.num_states(); ++s) {
    const FstState& state = fst.state(s);
    const FstArc* arcs = fst.arcs(state);
    for (std::uint32_t i = 0; i < state.arcs; ++i) {
      if (words.word(arcs[i].output).empty()) {
        throw FormatError(fst.path(), "arcs", "output label " + std::to_string(arcs[i].output),
                          "a label that " + words.path() + " names");
      }
    }
  }
}

}  // namespace

WfstGraph::WfstGraph(const std::filesystem::path& folder)
    : folder_(folder),
      words_(std::make_unique<const WordTable>(folder / "words.txt")),
      fst_(std::make_unique<const FstFile>(folder / "TLG.fst")) {
  if (fst_->mapped() && fst_->bytes() > kCheckedBytes) return;
  fst_->check({.max_input = kGraphClasses, .max_output = words_->max_id()});
  check_words(*fst_, *words_);
}

WfstGraph::~WfstGraph() = default;

std::int64_t WfstGraph::num_states() const { return fst_->num_states(); }
std::int64_t WfstGraph::num_arcs() const { return static_cast<std::int64_t>(fst_->num_arcs()); }
std::uint64_t WfstGraph::bytes() const { return fst_->bytes(); }
bool WfstGraph::mapped() const { return fst_->mapped(); }

}  // namespace brainquant
