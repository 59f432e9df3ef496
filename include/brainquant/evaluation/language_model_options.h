// Which language model makes sentences of the logits. Field names are the flags' names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/language_model/language_model.h"
#include "brainquant/language_model/wfst_options.h"
#include "brainquant/support/option_list.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// The two weights that decide most of a word error rate, and that the best values differ for from model to model.
struct LmScales {
  double acoustic_scale = 0;
  double blank_penalty = 0;
};

struct LanguageModelOptions {
  bool skip_lm = false;
  std::string lm;  // one of language_model_names(); empty: wfst if lm_dir is given, else redis

  // redis: the public server
  std::string redis_host = "localhost";
  int redis_port = 6379;
  int redis_db = 0;
  double lm_timeout = 60;  // seconds that one trial may take, and the server to be ready

  // wfst: a decoding graph in this process
  std::filesystem::path lm_dir;      // TLG.fst and words.txt
  std::filesystem::path rescore_lm;  // empty: none
  std::string lm_preset;             // "server" or "published"; empty: "server"
  std::optional<double> beam;        // these take the preset's place (decoding/wfst_options.h)
  std::optional<int> max_active;
  std::optional<int> min_active;
  std::optional<double> lattice_beam;
  std::optional<double> acoustic_scale;
  std::optional<double> blank_penalty;
  std::optional<double> ctc_blank_skip_threshold;
  std::optional<double> length_penalty;
  std::optional<int> nbest;
  std::optional<std::int64_t> tune_lm;  // find acoustic_scale and blank_penalty on so many trials of the train split
  std::filesystem::path lm_scales;      // empty: none; a file that holds them

  /// Throws UsageError for an unknown name, a value outside its range, or options of the one model with the other.
  /// Nothing is checked with skip_lm.
  void validate() const;
  /// What `lm` comes to.
  std::string chosen_lm() const;
  /// Says in log.info which of the options are not used because of skip_lm.
  void name_unused(const RunContext& context) const;
  /// The same with these two and without tune_lm and lm_scales.
  LanguageModelOptions with(const LmScales& scales) const;
  /// The same with what the file of lm_scales holds: a results JSON of an evaluation with the language model "wfst", or
  /// an object {"acoustic_scale": ..., "blank_penalty": ...}. Throws FileError, FormatError.
  LanguageModelOptions with_scales_read() const;
  /// The preset with what takes its place. Neither tunes nor reads lm_scales.
  WfstOptions wfst_options() const;
  /// True if the model takes any number of trials at once.
  bool takes_trials_at_once() const { return chosen_lm() == "wfst"; }
  /// True if trials of the train split are decoded to find the scales.
  bool tunes() const { return !skip_lm && tune_lm.has_value(); }
  /// True if sentences come from a server, which may be absent.
  bool needs_server() const { return chosen_lm() == "redis"; }
  /// The command line that gives these options to another program of this project.
  std::vector<std::string> arguments() const;
  /// Text that changes when the sentences may: the options, and size and time of the language model's files. "" with
  /// skip_lm.
  std::string fingerprint() const;
};

/// The options, each with its flag; they refer to `options`.
OptionList list_options(LanguageModelOptions& options);

/// Names that --lm takes.
std::vector<std::string> language_model_names();

/// The language model that the options name. Throws UsageError as validate(); FileError and FormatError for its files.
std::unique_ptr<LanguageModel> make_language_model(const LanguageModelOptions& options);

}  // namespace brainquant
