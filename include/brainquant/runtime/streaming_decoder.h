// A live decoder: bins in as they are recorded, logits out as soon as a step is complete.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "brainquant/runtime/engine.h"

namespace brainquant {

/// One trial that is under way. Smooths by itself (model/smoothing.h, 'valid'), so that the first smoothed bin comes
/// with the last of the first `taps` bins. For INT8 the logits are the whole trial's bit for bit, in `reference` and
/// `native`; elsewhere within 1e-4.
///
/// Decoders may share an engine, but only one thread at a time may use it, through whichever of them.
class StreamingDecoder {
 public:
  /// Throws UsageError if the model has no such session, or no usable smoothing.
  StreamingDecoder(std::shared_ptr<Engine> engine, std::int64_t session_index);
  StreamingDecoder(std::shared_ptr<Engine> engine, const std::string& session);
  /// A copy goes on from the same bin, on its own.
  StreamingDecoder(const StreamingDecoder& other);
  StreamingDecoder& operator=(const StreamingDecoder& other);
  StreamingDecoder(StreamingDecoder&&) noexcept = default;
  StreamingDecoder& operator=(StreamingDecoder&&) noexcept = default;

  /// Takes one bin as recorded [n_input_features]. Returns the logits [n_classes] of the step that it completes, which
  /// stay until the next call; an empty span if it completes none. Throws UsageError for another number of features and
  /// WorkError naming the first feature that is not finite or beyond kLargestMagnitude: the bin is then not taken, and
  /// the trial can go on. Throws WorkError naming the step if its logits are not finite: the bin is then taken, and
  /// only reset() helps.
  std::span<const float> push(std::span<const float> bin);
  /// Engine::prepare: for the time between two bins.
  void prepare();

  /// Back to the start of a trial. Throws UsageError if the model has no such session.
  void reset() { reset(session_index_); }
  void reset(std::int64_t session_index);

  const Engine& engine() const { return *engine_; }
  std::int64_t session_index() const { return session_index_; }
  /// Bins taken since the start of the trial.
  std::int64_t bins() const { return bins_; }
  /// Steps whose logits were given since then.
  std::int64_t steps() const { return steps_; }

 private:
  std::int64_t taps() const { return static_cast<std::int64_t>(taps_.size()); }

  std::shared_ptr<Engine> engine_;
  std::int64_t session_index_;
  std::vector<float> taps_;
  std::int64_t bins_ = 0;
  std::int64_t steps_ = 0;
  std::vector<float>
      window_;  // [2 * taps, features]: every bin twice, so that the last `taps` bins always lie in one piece
  std::vector<float> smoothed_;  // [features]
  std::vector<float> logits_;    // [classes]
  std::unique_ptr<EngineState> state_;
};

/// Recorded bins that give the first step's logits: the smoothing's taps and a step's bins less the one they share.
std::int64_t bins_before_first_logits(const DecoderConfig& config);

}  // namespace brainquant
