#include "brainquant/evaluation/language_model_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "brainquant/decoding/redis_language_model.h"
#include "brainquant/decoding/wfst_language_model.h"
#include "brainquant/support/error.h"

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

// "--beam" and its value, for each of the embedded decoder's options that is given.
std::vector<std::string> wfst_arguments(const LanguageModelOptions& options) {
  std::vector<std::string> arguments;
  const auto add_text = [&](const char* flag, const std::string& value) {
    if (!value.empty()) arguments.insert(arguments.end(), {flag, value});
  };
  const auto add = [&](const char* flag, const auto& value) {
    if (value) arguments.insert(arguments.end(), {flag, fmt::format("{}", *value)});
  };
  add_text("--lm_dir", options.lm_dir.string());
  add_text("--rescore_lm", options.rescore_lm.string());
  add_text("--lm_preset", options.lm_preset);
  add("--beam", options.beam);
  add("--max_active", options.max_active);
  add("--min_active", options.min_active);
  add("--lattice_beam", options.lattice_beam);
  add("--acoustic_scale", options.acoustic_scale);
  add("--blank_penalty", options.blank_penalty);
  add("--ctc_blank_skip_threshold", options.ctc_blank_skip_threshold);
  add("--length_penalty", options.length_penalty);
  add("--nbest", options.nbest);
  return arguments;
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

void LanguageModelOptions::validate() const {
  if (skip_lm) return;
  const std::vector<std::string> names = language_model_names();
  if (std::find(names.begin(), names.end(), lm) == names.end()) {
    throw UsageError(fmt::format("--lm: found '{}', expected one of {}", lm, fmt::join(names, ", ")));
  }
  if (lm == "redis") {
    redis_options(*this).validate();
    const std::vector<std::string> given = wfst_arguments(*this);
    if (!given.empty()) throw UsageError(fmt::format("{} goes only with --lm wfst", given.front()));
    return;
  }
  if (lm_dir.empty()) throw UsageError("--lm wfst needs --lm_dir, a folder with TLG.fst and words.txt");
  wfst_options().validate();
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
  std::vector<std::string> result = {"--lm", lm};
  const std::vector<std::string> more =
      lm == "wfst" ? wfst_arguments(*this) : std::vector<std::string>{"--redis_host", redis_host,
                                                                      "--redis_port", std::to_string(redis_port),
                                                                      "--redis_db",   std::to_string(redis_db),
                                                                      "--lm_timeout", fmt::format("{}", lm_timeout)};
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

std::string LanguageModelOptions::fingerprint() const {
  if (skip_lm) return "";
  if (lm == "redis") return redis_options(*this).url();
  std::string text = fmt::format("{}", fmt::join(arguments(), " "));
  for (const char* name : {"TLG.fst", "words.txt", "G.fst", "lm.arpa", "lm.arpa.gz"})
    text += "; " + state_of(lm_dir / name);
  if (!rescore_lm.empty()) text += "; " + state_of(rescore_lm);
  return text;
}

std::unique_ptr<LanguageModel> make_language_model(const LanguageModelOptions& options) {
  options.validate();
  if (options.lm == "wfst") {
    return std::make_unique<WfstLanguageModel>(options.lm_dir, options.wfst_options(), options.rescore_lm);
  }
  return std::make_unique<RedisLanguageModel>(redis_options(options));
}

}  // namespace brainquant
