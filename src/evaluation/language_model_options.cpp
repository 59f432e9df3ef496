#include "brainquant/evaluation/language_model_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/support/error.h"
#include "language_model/redis_language_model.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostScalesBytes = std::size_t{1} << 28;  // a results file may be long

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

std::vector<std::string> names_of_wfst_options() {
  std::vector<std::string> names = {"lm_dir", "rescore_lm", "lm_preset", "tune_lm", "lm_scales"};
  WfstOptions wfst;
  const OptionList list = list_options(wfst);
  for (const Option& option : list.options()) names.push_back(option.name);
  return names;
}

std::vector<std::string> arguments_of(const LanguageModelOptions& options, const std::vector<std::string>& names) {
  LanguageModelOptions copy = options;
  return list_options(copy).only(names).arguments();
}

LmScales read_lm_scales(const fs::path& path) {
  const std::string text = read_file(path, kMostScalesBytes);
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    const bool is_results = json.contains("schema");
    const nlohmann::json& scales = is_results ? json.at("lm_scales") : json;
    if (scales.is_null()) throw FormatError(path.string(), "lm_scales", "null", "results of --lm wfst");
    return {scales.at("acoustic_scale").get<double>(), scales.at("blank_penalty").get<double>()};
  } catch (const nlohmann::json::exception& problem) {
    throw FormatError(path.string(), "", problem.what());
  }
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
  const auto add = [&list](const char* name, auto& field, const std::string& help) -> Option& {
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
      "wfst: the public server's defaults (server), or the options its instructions give (published); those below "
      "override it")
      .with_choices({"server", "published"});
  WfstOptions wfst;
  const OptionList of_wfst = list_options(wfst);
  const auto add_wfst = [&](const char* name, auto& field) { add(name, field, "wfst: " + of_wfst.at(name).help); };
  add_wfst("beam", options.beam);
  add_wfst("max_active", options.max_active);
  add_wfst("min_active", options.min_active);
  add_wfst("lattice_beam", options.lattice_beam);
  add_wfst("acoustic_scale", options.acoustic_scale);
  add_wfst("blank_penalty", options.blank_penalty);
  add_wfst("ctc_blank_skip_threshold", options.ctc_blank_skip_threshold);
  add_wfst("length_penalty", options.length_penalty);
  add_wfst("nbest", options.nbest);
  add("tune_lm", options.tune_lm,
      "wfst: find acoustic_scale and blank_penalty on N trials of the train split, by their word error rate");
  add("lm_scales", options.lm_scales,
      "wfst: take acoustic_scale and blank_penalty from this file, such as the --output_json of another run");
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
    const std::vector<std::string> given = arguments_of(*this, names_of_wfst_options());
    if (!given.empty()) throw UsageError(fmt::format("{} requires --lm wfst", given.front()));
    return;
  }
  if (lm_dir.empty()) throw UsageError("--lm wfst needs --lm_dir, a folder with TLG.fst and words.txt");
  wfst_options().validate();
  if (tune_lm && *tune_lm < 1) throw UsageError(fmt::format("--tune_lm: found {}, expected at least 1", *tune_lm));
  if (tune_lm && !lm_scales.empty()) throw UsageError("--tune_lm contradicts --lm_scales: both give the same options");
  if ((tune_lm || !lm_scales.empty()) && (acoustic_scale || blank_penalty)) {
    throw UsageError(fmt::format("{} gives acoustic_scale and blank_penalty: it contradicts {}",
                                 tune_lm ? "--tune_lm" : "--lm_scales",
                                 acoustic_scale ? "--acoustic_scale" : "--blank_penalty"));
  }
}

LanguageModelOptions LanguageModelOptions::with(const LmScales& scales) const {
  LanguageModelOptions options = *this;
  options.tune_lm.reset();
  options.lm_scales.clear();
  options.acoustic_scale = scales.acoustic_scale;
  options.blank_penalty = scales.blank_penalty;
  return options;
}

LanguageModelOptions LanguageModelOptions::with_scales_read() const {
  if (skip_lm || lm_scales.empty()) return *this;
  const LanguageModelOptions options = with(read_lm_scales(lm_scales));
  try {
    options.validate();
  } catch (const UsageError& problem) {
    throw FormatError(lm_scales.string(), "", problem.what());
  }
  return options;
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
  LanguageModelOptions copy = *this;
  const OptionList given = list_options(copy);
  const OptionList taken = list_options(options);
  for (const Option& option : taken.options()) {
    const std::string value = text_of(given.at(option.name).value());
    if (!value.empty()) option.set(value);
  }
  return options;
}

std::vector<std::string> LanguageModelOptions::arguments() const {
  if (skip_lm) return {"--skip_lm"};
  std::vector<std::string> result = {"--lm", chosen_lm()};
  const std::vector<std::string> more =
      arguments_of(*this, chosen_lm() == "wfst" ? names_of_wfst_options() : kRedisOptions);
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
