#include "runtime/native_engine.h"

#include "runtime/kernels/kernel_table.h"
#include "runtime/native_decode.h"
#include "runtime/native_model.h"
#include "runtime/native_stream.h"
#include "runtime/require_int8.h"

namespace brainquant {

namespace {

class NativeEngine : public Engine {
 public:
  NativeEngine(const QuantizedModel& model, const WeightSource& weights, const Kernel& kernel, int threads)
      : team_(threads), model_(model, weights, kernel, team_), trials_(model_, team_), stream_(model_, team_) {}

  std::string name() const override { return "native"; }
  std::string instructions() const override { return model_.kernel.name; }
  const DecoderConfig& config() const override { return model_.config; }

  std::vector<Logits> decode(std::span<const EngineInput> batch) override { return trials_.decode(batch); }

  std::unique_ptr<EngineState> make_state(std::int64_t session_index) const override {
    auto state = std::make_unique<NativeState>(model_);
    reset_state(model_, *state, session_index);
    return state;
  }
  void reset(EngineState& state, std::int64_t session_index) const override {
    reset_state(model_, static_cast<NativeState&>(state), session_index);
  }
  std::unique_ptr<EngineState> copy(const EngineState& state) const override {
    return std::make_unique<NativeState>(static_cast<const NativeState&>(state));
  }
  bool push(EngineState& state, const float* bin, float* logits) override {
    return stream_.push(static_cast<NativeState&>(state), bin, logits);
  }
  void prepare(EngineState& state) override { stream_.prepare(static_cast<NativeState&>(state)); }

 private:
  ThreadTeam team_;
  NativeModel model_;
  TrialDecoder trials_;
  NativeStream stream_;
};

}  // namespace

std::unique_ptr<Engine> make_native_engine(const QuantizedModel& model, const std::string& kernel, int threads) {
  require_int8(model.weight_formats(), model.config, "native");
  return std::make_unique<NativeEngine>(model, ModelWeights(model), choose_kernel(kernel), threads);
}

std::unique_ptr<Engine> open_native_engine(const QuantizedFileReader& file, const std::string& kernel, int threads) {
  require_int8(file.weight_formats(), file.model().config, "native");
  auto engine = std::make_unique<NativeEngine>(file.model(), file, choose_kernel(kernel), threads);
  file.require_all_read();
  return engine;
}

}  // namespace brainquant
