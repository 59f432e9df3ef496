#include "brainquant/c_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "brainquant/runtime/streaming_decoder.h"
#include "brainquant/version.h"
#include "c_api/guarded.h"
#include "c_api/open_engine.h"
#include "model/config_limits.h"
#include "model/smoothing.h"
#include "runtime/finite_features.h"

using namespace brainquant;
using namespace brainquant::c_api;

namespace {

/// What models and their decoders share: an engine serves one call at a time.
struct OpenModel {
  std::string method;
  std::shared_ptr<Engine> engine;
  std::string engine_name;
  std::string instructions;
  std::vector<float> taps;
  std::mutex in_use;

  const DecoderConfig& config() const { return engine->config(); }
  std::int64_t smoothed_bins(std::int64_t bins) const { return bins - static_cast<std::int64_t>(taps.size()) + 1; }
};

}  // namespace

struct bq_model {
  std::shared_ptr<OpenModel> open;
};

struct bq_decoder {
  std::shared_ptr<OpenModel> open;
  StreamingDecoder decoder;
};

namespace {

EngineOptions engine_options(const bq_model_options* options) {
  EngineOptions result;
  if (options == nullptr) return result;
  if (options->size < sizeof(bq_model_options)) {
    throw ArgumentError(
        fmt::format("bq_model_options.size: found {}, expected {}", options->size, sizeof(bq_model_options)));
  }
  // A caller built against a later header: what this library doesn't know must be unset. A size out of all reason is a
  // struct that was never filled in.
  constexpr std::size_t kLargestSize = 4096;
  if (options->size > kLargestSize) {
    throw ArgumentError(
        fmt::format("bq_model_options.size: found {}, expected at most {}", options->size, kLargestSize));
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(options);
  for (std::size_t i = sizeof(bq_model_options); i < options->size; ++i) {
    if (bytes[i] != 0)
      throw ArgumentError("bq_model_options: an option that this version of the library does not have is set");
  }
  if (options->engine != nullptr) result.engine = options->engine;
  if (options->kernel != nullptr) result.kernel = options->kernel;
  result.threads = options->threads;
  return result;
}

std::shared_ptr<OpenModel> open_model(const std::filesystem::path& path, const EngineOptions& options) {
  auto open = std::make_shared<OpenModel>();
  QuantizedEngine opened = open_engine(path, options);
  open->method = std::move(opened.method);
  open->engine = std::move(opened.engine);
  open->engine_name = open->engine->name();
  open->instructions = open->engine->instructions();
  open->taps = smoothing_taps(open->config().smoothing);
  return open;
}

/// Checks a trial and gives it as the engine takes it; `smoothed` holds its features if they were recorded ones.
EngineInput engine_input(const OpenModel& open, bq_trial& trial, std::int64_t index, bool is_smoothed,
                         std::vector<float>& smoothed) {
  const DecoderConfig& config = open.config();
  const auto fail = [&](const std::string& what) { return ArgumentError(fmt::format("trial {}: {}", index, what)); };
  if (trial.bins < 0 || trial.bins > config_limits::kMostBins) {
    throw fail(fmt::format("found {} bins, expected 0 to {}", trial.bins, config_limits::kMostBins));
  }
  const auto sessions = static_cast<std::int64_t>(config.sessions.size());
  if (trial.session_index < 0 || trial.session_index >= sessions) {
    throw UsageError(
        fmt::format("trial {}: found session {}, expected 0 to {}", index, trial.session_index, sessions - 1));
  }
  EngineInput input{trial.features,
                    is_smoothed ? trial.bins : std::max<std::int64_t>(0, open.smoothed_bins(trial.bins)),
                    trial.session_index};
  trial.steps = config.steps_of(input.bins);
  if (trial.steps == 0) return input;
  if (trial.features == nullptr || trial.logits == nullptr) throw fail("features or logits are NULL");
  if (trial.step_capacity < trial.steps) {
    throw fail(fmt::format("found room for {} steps, expected {}", trial.step_capacity, trial.steps));
  }
  const std::int64_t features = config.n_input_features;
  require_usable_features({trial.features, static_cast<std::size_t>(trial.bins * features)}, features, 0,
                          fmt::format("trial {}: ", index));
  if (!is_smoothed) {
    smooth(trial.features, trial.bins, features, open.taps, smoothed);
    input.features = smoothed.data();
  }
  return input;
}

}  // namespace

std::string& brainquant::c_api::last_error() noexcept {
  thread_local std::string error;
  return error;
}

int32_t bq_abi_version(void) { return BQ_ABI_VERSION; }
const char* bq_version(void) { return kVersion; }
const char* bq_last_error(void) { return last_error().c_str(); }

int bq_model_open(const char* path, const bq_model_options* options, bq_model** model) {
  return guarded([&]() -> int {
    require(path, "path");
    require(model, "model");
    *model = nullptr;
    *model = new bq_model{open_model(path, engine_options(options))};
    return BQ_OK;
  });
}

void bq_model_close(bq_model* model) { delete model; }

int64_t bq_model_features(const bq_model* model) {
  return guarded([&]() -> std::int64_t {
    require(model, "model");
    return model->open->config().n_input_features;
  });
}

int64_t bq_model_classes(const bq_model* model) {
  return guarded([&]() -> std::int64_t {
    require(model, "model");
    return model->open->config().n_classes;
  });
}

int64_t bq_model_sessions(const bq_model* model) {
  return guarded([&]() -> std::int64_t {
    require(model, "model");
    return static_cast<std::int64_t>(model->open->config().sessions.size());
  });
}

const char* bq_model_session_name(const bq_model* model, int64_t session_index) {
  const char* name = nullptr;
  guarded([&]() -> int {
    require(model, "model");
    const std::vector<std::string>& sessions = model->open->config().sessions;
    if (session_index < 0 || session_index >= static_cast<std::int64_t>(sessions.size())) {
      throw UsageError(fmt::format("session index: found {}, expected 0 to {}", session_index, sessions.size() - 1));
    }
    name = sessions[static_cast<std::size_t>(session_index)].c_str();
    return BQ_OK;
  });
  return name;
}

int64_t bq_model_session_index(const bq_model* model, const char* session) {
  return guarded([&]() -> std::int64_t {
    require(model, "model");
    require(session, "session");
    const std::int64_t index = model->open->config().session_index(session);
    if (index < 0) throw UsageError(fmt::format("session: found '{}', which the model has no day layer for", session));
    return index;
  });
}

double bq_model_step_seconds(const bq_model* model) {
  double seconds = 0;
  const int status = guarded([&]() -> int {
    require(model, "model");
    seconds = kSecondsPerBin * static_cast<double>(model->open->config().bins_between_steps());
    return BQ_OK;
  });
  return status == BQ_OK ? seconds : status;
}

int64_t bq_model_bins_before_logits(const bq_model* model) {
  return guarded([&]() -> std::int64_t {
    require(model, "model");
    return bins_before_first_logits(model->open->config());
  });
}

int64_t bq_model_steps(const bq_model* model, int64_t bins, int smoothed) {
  return guarded([&]() -> std::int64_t {
    require(model, "model");
    if (bins < 0) throw ArgumentError(fmt::format("bins: found {}, expected at least 0", bins));
    return model->open->config().steps_of(smoothed != 0 ? bins : model->open->smoothed_bins(bins));
  });
}

const char* bq_model_method(const bq_model* model) { return model == nullptr ? "" : model->open->method.c_str(); }
const char* bq_model_engine(const bq_model* model) { return model == nullptr ? "" : model->open->engine_name.c_str(); }
const char* bq_model_instructions(const bq_model* model) {
  return model == nullptr ? "" : model->open->instructions.c_str();
}

int bq_decode_trials(bq_model* model, bq_trial* trials, int64_t count, int smoothed) {
  return guarded([&]() -> int {
    require(model, "model");
    if (count < 0) throw ArgumentError(fmt::format("count: found {}, expected at least 0", count));
    if (count == 0) return BQ_OK;
    require(trials, "trials");
    OpenModel& open = *model->open;
    std::vector<std::vector<float>> features(static_cast<std::size_t>(count));
    std::vector<EngineInput> inputs;
    for (std::int64_t i = 0; i < count; ++i) {
      inputs.push_back(engine_input(open, trials[i], i, smoothed != 0, features[static_cast<std::size_t>(i)]));
    }
    const std::lock_guard lock(open.in_use);
    const std::vector<Logits> results = open.engine->decode(inputs);
    for (std::int64_t i = 0; i < count; ++i) {
      const Logits& logits = results[static_cast<std::size_t>(i)];
      require_finite_logits(logits.values, logits.classes, 0, fmt::format("trial {}: ", i));
      if (!logits.values.empty()) std::copy(logits.values.begin(), logits.values.end(), trials[i].logits);
    }
    return BQ_OK;
  });
}

int bq_decoder_create(bq_model* model, int64_t session_index, bq_decoder** decoder) {
  return guarded([&]() -> int {
    require(model, "model");
    require(decoder, "decoder");
    *decoder = nullptr;
    *decoder = new bq_decoder{model->open, StreamingDecoder(model->open->engine, session_index)};
    return BQ_OK;
  });
}

void bq_decoder_free(bq_decoder* decoder) { delete decoder; }

int bq_decoder_push(bq_decoder* decoder, const float* bin, float* logits) {
  return guarded([&]() -> int {
    require(decoder, "decoder");
    require(bin, "bin");
    require(logits, "logits");
    const std::lock_guard lock(decoder->open->in_use);
    const auto features = static_cast<std::size_t>(decoder->open->config().n_input_features);
    const std::span<const float> step = decoder->decoder.push({bin, features});
    if (step.empty()) return BQ_OK;
    std::copy(step.begin(), step.end(), logits);
    return BQ_LOGITS_READY;
  });
}

int bq_decoder_prepare(bq_decoder* decoder) {
  return guarded([&]() -> int {
    require(decoder, "decoder");
    const std::lock_guard lock(decoder->open->in_use);
    decoder->decoder.prepare();
    return BQ_OK;
  });
}

int bq_decoder_reset(bq_decoder* decoder, int64_t session_index) {
  return guarded([&]() -> int {
    require(decoder, "decoder");
    const std::lock_guard lock(decoder->open->in_use);
    decoder->decoder.reset(session_index);
    return BQ_OK;
  });
}

int bq_decoder_copy(const bq_decoder* decoder, bq_decoder** copy) {
  return guarded([&]() -> int {
    require(decoder, "decoder");
    require(copy, "copy");
    *copy = nullptr;
    *copy = new bq_decoder{decoder->open, decoder->decoder};
    return BQ_OK;
  });
}

int64_t bq_decoder_bins(const bq_decoder* decoder) {
  return guarded([&]() -> std::int64_t {
    require(decoder, "decoder");
    return decoder->decoder.bins();
  });
}

int64_t bq_decoder_steps(const bq_decoder* decoder) {
  return guarded([&]() -> std::int64_t {
    require(decoder, "decoder");
    return decoder->decoder.steps();
  });
}
