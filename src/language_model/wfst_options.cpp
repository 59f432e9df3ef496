#include "brainquant/language_model/wfst_options.h"

#include <fmt/format.h>

#include <cmath>

#include "brainquant/support/error.h"

namespace brainquant {
namespace {

constexpr int kMaxNbest = 10000;

void require(bool holds, const char* option, double value, const char* expected) {
  if (!holds) throw UsageError(fmt::format("{} {}: it must be {}", option, value, expected));
}

}  // namespace

WfstOptions WfstOptions::preset(std::string_view name) {
  WfstOptions options;
  if (name == "server") return options;
  if (name == "published") {
    options.acoustic_scale = 0.325F;
    options.blank_penalty = 90.0F;
    return options;
  }
  throw UsageError(fmt::format("lm_preset \"{}\": it must be server or published", name));
}

OptionList list_options(WfstOptions& options) {
  OptionList list;
  list.add("beam", options.beam, "search beam");
  list.add("max_active", options.max_active, "most paths kept at a step");
  list.add("min_active", options.min_active, "fewest paths kept at a step");
  list.add("lattice_beam", options.lattice_beam, "how much worse than the best a listed sentence may be");
  list.add("acoustic_scale", options.acoustic_scale, "weight of the logits against the language model");
  list.add("blank_penalty", options.blank_penalty, "its logarithm is subtracted from blank's log-probability");
  list.add("ctc_blank_skip_threshold", options.ctc_blank_skip_threshold,
           "skip steps whose blank is more probable than this");
  list.add("length_penalty", options.length_penalty, "cost of each step that advances in the graph");
  list.add("nbest", options.nbest, "number of sentences to list");
  return list;
}

void WfstOptions::validate() const {
  const auto positive = [](float value) { return std::isfinite(value) && value > 0.0F; };
  require(positive(beam), "beam", beam, "above 0");
  require(max_active >= 1, "max_active", max_active, "at least 1");
  require(min_active >= 0 && min_active <= max_active, "min_active", min_active, "between 0 and max_active");
  require(positive(lattice_beam), "lattice_beam", lattice_beam, "above 0");
  require(positive(acoustic_scale), "acoustic_scale", acoustic_scale, "above 0");
  require(positive(blank_penalty), "blank_penalty", blank_penalty, "above 0");
  require(positive(ctc_blank_skip_threshold), "ctc_blank_skip_threshold", ctc_blank_skip_threshold, "above 0");
  require(std::isfinite(length_penalty), "length_penalty", length_penalty, "a number");
  require(nbest >= 1 && nbest <= kMaxNbest, "nbest", nbest, "between 1 and 10000");
}

}  // namespace brainquant
