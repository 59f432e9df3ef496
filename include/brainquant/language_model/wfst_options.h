// The settings of the embedded language-model decoder: names, meaning and values of the public server's.
#pragma once

#include <string_view>

#include "brainquant/support/option_list.h"

namespace brainquant {

struct WfstOptions {
  /// Paths whose cost is more than this above the best one's at the same step are given up (costs: minus scaled
  /// log-likelihoods).
  float beam = 17.0F;
  /// At most this many paths go on from a step, however many the beam would keep...
  int max_active = 7000;
  /// ...and, if there are that many, at least this many, however few the beam would keep.
  int min_active = 200;
  /// Sentences whose cost is more than this above the best one's are not listed.
  float lattice_beam = 8.0F;
  /// Factor of the log-likelihoods against the graph's costs.
  float acoustic_scale = 0.3F;
  /// log(blank_penalty) is taken off the log-likelihood of blank at each step.
  float blank_penalty = 9.0F;
  /// A step whose probability of blank (after the penalty) is above this is left out; 1 leaves out none. One blank is
  /// put back where leaving blanks out would bring two steps with the same best class together.
  float ctc_blank_skip_threshold = 1.0F;
  /// Cost of each step that moves on in the graph instead of staying in its state.
  float length_penalty = 0.0F;
  /// Number of sentences listed.
  int nbest = 100;

  /// "server": the public server's flag defaults, as above. "published": the values that its instructions start it with
  /// (acoustic_scale 0.325, blank_penalty 90). UsageError for any other name.
  static WfstOptions preset(std::string_view name);
  /// Throws UsageError naming the first option whose value is out of range.
  void validate() const;
};

/// The options by name; they refer to `options`.
OptionList list_options(WfstOptions& options);

}  // namespace brainquant
