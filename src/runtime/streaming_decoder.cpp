#include "brainquant/runtime/streaming_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "brainquant/support/error.h"
#include "model/smoothing.h"
#include "runtime/finite_features.h"

namespace brainquant {

namespace {

std::int64_t checked_session(const DecoderConfig& config, std::int64_t session_index) {
  const auto count = static_cast<std::int64_t>(config.sessions.size());
  if (session_index >= 0 && session_index < count) return session_index;
  throw UsageError(fmt::format("session index: found {}, expected 0 to {}", session_index, count - 1));
}

std::int64_t checked_session(const DecoderConfig& config, const std::string& session) {
  const std::int64_t index = config.session_index(session);
  if (index >= 0) return index;
  throw UsageError(fmt::format("session: found '{}', which the model has no day layer for", session));
}

}  // namespace

StreamingDecoder::StreamingDecoder(std::shared_ptr<Engine> engine, std::int64_t session_index)
    : engine_(std::move(engine)),
      session_index_(checked_session(engine_->config(), session_index)),
      taps_(smoothing_taps(engine_->config().smoothing)),
      window_(static_cast<std::size_t>(2 * taps() * engine_->config().n_input_features)),
      logits_(static_cast<std::size_t>(engine_->config().n_classes)),
      state_(engine_->make_state(session_index_)) {}

StreamingDecoder::StreamingDecoder(std::shared_ptr<Engine> engine, const std::string& session)
    : StreamingDecoder(engine, checked_session(engine->config(), session)) {}

StreamingDecoder::StreamingDecoder(const StreamingDecoder& other)
    : engine_(other.engine_),
      session_index_(other.session_index_),
      taps_(other.taps_),
      bins_(other.bins_),
      steps_(other.steps_),
      window_(other.window_),
      logits_(other.logits_),
      state_(engine_->copy(*other.state_)) {}

StreamingDecoder& StreamingDecoder::operator=(const StreamingDecoder& other) {
  if (this != &other) *this = StreamingDecoder(other);
  return *this;
}

std::span<const float> StreamingDecoder::push(std::span<const float> bin) {
  const std::int64_t features = engine_->config().n_input_features;
  if (static_cast<std::int64_t>(bin.size()) != features) {
    throw UsageError(fmt::format("a bin: found {} features, expected {}", bin.size(), features));
  }
  require_usable_features(bin, features, bins_);
  const std::int64_t place = bins_ % taps();
  std::copy(bin.begin(), bin.end(), window_.begin() + place * features);
  std::copy(bin.begin(), bin.end(), window_.begin() + (place + taps()) * features);
  ++bins_;
  if (bins_ < taps()) return {};
  smooth(window_.data() + (place + 1) * features, taps(), features, taps_, smoothed_);
  if (!engine_->push(*state_, smoothed_.data(), logits_.data())) return {};
  ++steps_;
  require_finite_logits(logits_, engine_->config().n_classes, steps_ - 1);
  return logits_;
}

void StreamingDecoder::prepare() { engine_->prepare(*state_); }

void StreamingDecoder::reset(std::int64_t session_index) {
  session_index_ = checked_session(engine_->config(), session_index);
  engine_->reset(*state_, session_index_);
  bins_ = 0;
  steps_ = 0;
}

std::int64_t bins_before_first_logits(const DecoderConfig& config) {
  return static_cast<std::int64_t>(smoothing_taps(config.smoothing).size()) + config.bins_per_step() - 1;
}

}  // namespace brainquant
