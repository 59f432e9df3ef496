#include "brainquant/evaluation/language_model_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/support/error.h"
#include "language_model/redis_language_model.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr const char* kWithoutAServer = "--lm wfst --lm_dir DIR needs no server, --skip_lm no language model";

RedisOptions redis_options(const LanguageModelOptions& options) {
  RedisOptions redis;
  redis.host = options.redis_host;
  redis.port = options.redis_port;
  redis.database = options.redis_db;
  redis.deadline_seconds = options.lm_timeout;
  redis.hint = kWithoutAServer;
  return redis;
}

/// The options of the one model and of the other, in the order of the flags.
const std::vector<std::string> kRedisOptions = {"redis_host", "redis_port", "redis_db", "lm_timeout"};
const std::vector<std::string> kWfstOptions = {
    "lm_dir",         "rescore_lm",   "lm_preset",      "beam",          "max_active",
    "min_active",     "lattice_beam", "acoustic_scale", "blank_penalty", "ctc_blank_skip_threshold",
    "length_penalty", "nbest"};

std::vector<std::string> arguments_of(const LanguageModelOptions& options, const std::vector<std::string>& names) {
  LanguageModelOptions copy = options;
  return list_options(copy).only(names).arguments();
}

std::string state_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return path.string() + ": none";
  const auto time = fs::last_write_time(path, error);
  return fmt::format("{}: {} bytes, {} ns", path.string(), size,
                     std::chrono::file_clock::to_sys(time).time_since_epoch().count());
}

}  // namespace

std::vector<std::string> language_model_names() { return {"redis", "wfst"}; }

OptionList list_options(LanguageModelOptions& options) {
  OptionList list;
  const auto add = [&list](const char* name, auto& field, const char* help) -> Option& {
    return list.add(name, field, help).that_decides(Decides::words);
  };
  add("skip_lm", options.skip_lm, "Phonemes only, without a language model");
  add("lm", options.lm,
      "Language model: the public server (redis) or a graph in this process (wfst); default: wfst with --lm_dir, redis "
      "otherwise")
      .with_choices(language_model_names());
  add("redis_host", options.redis_host, "redis: host of the Redis server");
  add("redis_port", options.redis_port, "redis: port");
  add("redis_db", options.redis_db, "redis: database number");
  add("lm_timeout", options.lm_timeout, "redis: seconds to wait for the server to be ready, and for each sentence");
  add("lm_dir", options.lm_dir, "wfst: folder with TLG.fst and words.txt");
  add("rescore_lm", options.rescore_lm, "wfst: larger G.fst or ARPA model to rescore with");
  add("lm_preset", options.lm_preset,
      "wfst: the public server's defaults (server), or the options its instructions give (published)")
      .with_choices({"server", "published"});
  add("beam", options.beam, "wfst: search beam; this and the options below override the preset");
  add("max_active", options.max_active, "wfst: most paths kept at a step");
  add("min_active", options.min_active, "wfst: fewest paths kept at a step");
  add("lattice_beam", options.lattice_beam, "wfst: how much worse than the best a listed sentence may be");
  add("acoustic_scale", options.acoustic_scale, "wfst: weight of the logits against the language model");
  add("blank_penalty", options.blank_penalty, "wfst: its logarithm is subtracted from blank's log-probability");
  add("ctc_blank_skip_threshold", options.ctc_blank_skip_threshold,
      "wfst: skip steps whose blank is more probable than this");
  add("length_penalty", options.length_penalty, "wfst: cost of each step that advances in the graph");
  add("nbest", options.nbest, "wfst: number of sentences to list");
  return list;
}

std::string LanguageModelOptions::chosen_lm() const {
  if (!lm.empty()) return lm;
  return lm_dir.empty() ? "redis" : "wfst";
}

void LanguageModelOptions::validate() const {
  if (skip_lm) return;
  const std::vector<std::string> names = language_model_names();
  if (std::find(names.begin(), names.end(), chosen_lm()) == names.end()) {
    throw UsageError(fmt::format("--lm: found '{}', expected one of {}", lm, fmt::join(names, ", ")));
  }
  if (chosen_lm() == "redis") {
    redis_options(*this).validate();
    const std::vector<std::string> given = arguments_of(*this, kWfstOptions);
    if (!given.empty()) throw UsageError(fmt::format("{} requires --lm wfst", given.front()));
    return;
  }
  if (lm_dir.empty()) throw UsageError("--lm wfst needs --lm_dir, a folder with TLG.fst and words.txt");
  wfst_options().validate();
}

void LanguageModelOptions::name_unused(const RunContext& context) const {
  if (!skip_lm) return;
  LanguageModelOptions by_default;
  const OptionList defaults = list_options(by_default);
  LanguageModelOptions copy = *this;
  std::vector<std::string> unused;
  const OptionList given = list_options(copy);
  for (const Option& option : given.options()) {
    if (option.name == "skip_lm" || option.value() == defaults.at(option.name).value()) continue;
    unused.push_back("--" + option.name);
  }
  if (!unused.empty()) context.log.info(fmt::format("not used because of --skip_lm: {}", fmt::join(unused, ", ")));
}

WfstOptions LanguageModelOptions::wfst_options() const {
  WfstOptions options = WfstOptions::preset(lm_preset.empty() ? "server" : lm_preset);
  const auto take = [](auto& field, const auto& value) {
    if (value) field = static_cast<std::remove_reference_t<decltype(field)>>(*value);
  };
  take(options.beam, beam);
  take(options.max_active, max_active);
  take(options.min_active, min_active);
  take(options.lattice_beam, lattice_beam);
  take(options.acoustic_scale, acoustic_scale);
  take(options.blank_penalty, blank_penalty);
  take(options.ctc_blank_skip_threshold, ctc_blank_skip_threshold);
  take(options.length_penalty, length_penalty);
  take(options.nbest, nbest);
  return options;
}

std::vector<std::string> LanguageModelOptions::arguments() const {
  if (skip_lm) return {"--skip_lm"};
  std::vector<std::string> result = {"--lm", chosen_lm()};
  const std::vector<std::string> more = arguments_of(*this, chosen_lm() == "wfst" ? kWfstOptions : kRedisOptions);
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

std::string LanguageModelOptions::fingerprint() const {
  if (skip_lm) return "";
  if (chosen_lm() == "redis") return redis_options(*this).url();
  std::string text = fmt::format("{}", fmt::join(arguments(), " "));
  for (const char* name : {"TLG.fst", "words.txt", "G.fst", "lm.arpa", "lm.arpa.gz"})
    text += "; " + state_of(lm_dir / name);
  if (!rescore_lm.empty()) text += "; " + state_of(rescore_lm);
  return text;
}

std::unique_ptr<LanguageModel> make_language_model(const LanguageModelOptions& options) {
  options.validate();
  if (options.chosen_lm() == "wfst") {
    return std::make_unique<WfstLanguageModel>(options.lm_dir, options.wfst_options(), options.rescore_lm);
  }
  return std::make_unique<RedisLanguageModel>(redis_options(options));
}

}  // namespace brainquant
