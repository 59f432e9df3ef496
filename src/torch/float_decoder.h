// The fp32 decoder on LibTorch: PyTorch's own GRU, whole trials or bin by bin.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "brainquant/model/config.h"
#include "model/decoder_weights.h"
#include "quantization/calibration_backend.h"

namespace brainquant {

/// What the GRU's weights are multiplied as. float16 is for weights that came from FP16: the same products, read from
/// half the bytes, where LibTorch has them (x86 CPUs with AVX2); elsewhere it means float32.
enum class GruProducts { float32, float16 };

class FloatDecoder {
 public:
  /// `gpu_number` -1: CPU, else that GPU (plain LibTorch calls; untested for want of a GPU). Throws WorkError if
  /// LibTorch refuses.
  FloatDecoder(const DecoderConfig& config, const DecoderWeights& weights, int gpu_number = -1,
               GruProducts products = GruProducts::float32);
  ~FloatDecoder();

  /// Logits [steps, n_classes] of smoothed trials [bins, n_input_features] of the sessions given. Trials run side by
  /// side, padded to the longest. May be called from several threads at once.
  struct Input {
    const float* features = nullptr;
    std::int64_t bins = 0;
    std::int64_t session_index = 0;
  };
  std::vector<std::vector<float>> decode(std::span<const Input> batch) const;

  /// One trial alone, shown to `viewer`. The result does not depend on anything but the trial and LibTorch's number of
  /// threads.
  void observe(const Input& input, ActivationViewer& viewer) const;

  /// Day layer of one bin: x, y [n_input_features].
  void day_layer(std::int64_t session_index, const float* x, float* y) const;
  /// One step: patch [step_input_size], hidden [n_layers, n_units] updated in place, logits [n_classes].
  void step(const float* patch, float* hidden, float* logits) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brainquant
