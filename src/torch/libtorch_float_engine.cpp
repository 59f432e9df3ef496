#include <algorithm>
#include <utility>

#include "runtime/patch_buffer.h"
#include "torch/float_decoder.h"
#include "torch/libtorch_engine.h"
#include "torch/libtorch_environment.h"

namespace brainquant {

namespace {

struct FloatState : EngineState {
  std::int64_t session_index = 0;
  PatchBuffer patch;
  std::vector<float> hidden;  // [n_layers, n_units]
};

class LibTorchFloatEngine : public Engine {
 public:
  LibTorchFloatEngine(const DecoderConfig& config, const DecoderWeights& weights, int gpu_number, GruProducts products)
      : config_(config), h0_(weights.h0), decoder_(config, weights, gpu_number, products), on_gpu_(gpu_number >= 0) {}

  std::string name() const override { return "libtorch"; }
  std::string instructions() const override { return on_gpu_ ? kGpuInstructions : libtorch_cpu_capability(); }
  const DecoderConfig& config() const override { return config_; }

  std::vector<Logits> decode(std::span<const EngineInput> batch) override {
    std::vector<FloatDecoder::Input> inputs;
    for (const EngineInput& input : batch) inputs.push_back({input.features, input.bins, input.session_index});
    std::vector<std::vector<float>> values = decoder_.decode(inputs);
    std::vector<Logits> results;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      results.push_back({config_.steps_of(batch[i].bins), config_.n_classes, std::move(values[i])});
    }
    return results;
  }

  std::unique_ptr<EngineState> make_state(std::int64_t session_index) const override {
    auto state = std::make_unique<FloatState>();
    reset(*state, session_index);
    return state;
  }
  void reset(EngineState& state, std::int64_t session_index) const override {
    auto& s = static_cast<FloatState&>(state);
    s.session_index = session_index;
    s.patch.clear();
    s.hidden.clear();
    for (std::int64_t k = 0; k < config_.n_layers; ++k) s.hidden.insert(s.hidden.end(), h0_.begin(), h0_.end());
  }
  std::unique_ptr<EngineState> copy(const EngineState& state) const override {
    return std::make_unique<FloatState>(static_cast<const FloatState&>(state));
  }

  bool push(EngineState& state, const float* bin, float* logits) override {
    auto& s = static_cast<FloatState&>(state);
    if (s.patch.skips_next()) return false;
    std::vector<float> y(static_cast<std::size_t>(config_.n_input_features));
    decoder_.day_layer(s.session_index, bin, y.data());
    if (!s.patch.add(y, config_)) return false;
    decoder_.step(s.patch.values().data(), s.hidden.data(), logits);
    s.patch.advance(config_);
    return true;
  }

 private:
  DecoderConfig config_;
  std::vector<float> h0_;
  FloatDecoder decoder_;
  bool on_gpu_;
};

}  // namespace

std::unique_ptr<Engine> make_libtorch_float_engine(const DecoderConfig& config, const DecoderWeights& weights,
                                                   int gpu_number, GruProducts products) {
  return std::make_unique<LibTorchFloatEngine>(config, weights, gpu_number, products);
}

}  // namespace brainquant
