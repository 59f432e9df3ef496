// One GRU layer of the decoders that run on LibTorch: with fp32 weights, or with FP16 weights multiplied as they are.
#pragma once

#include <ATen/ATen.h>

#include <memory>

namespace brainquant {

class GruLayer {
 public:
  virtual ~GruLayer() = default;
  /// input [steps, trials, inputs], contiguous, state [trials, n_units]: output [steps, trials, n_units]; the state
  /// becomes the last one. Steps come first because LibTorch takes nearly twice as long when several trials do
  /// (batch_first).
  virtual at::Tensor sequence(const at::Tensor& input, at::Tensor& state) const = 0;
  /// One step: input [trials, inputs], state [trials, n_units]: the new state.
  virtual at::Tensor step(const at::Tensor& input, const at::Tensor& state) const = 0;
};

struct GruLayerTensors {
  at::Tensor weight_ih, weight_hh, bias_ih, bias_hh;  // fp32, as in torch.nn.GRU
};

std::unique_ptr<GruLayer> make_fp32_gru_layer(GruLayerTensors tensors);

/// Whether this build and CPU have LibTorch's products with FP16 weights (FBGEMM: fp32 activations and sums).
bool has_float16_gru_layers();
/// Rounds the weights to FP16, saturated; those that came from FP16 stay what they are. Needs has_float16_gru_layers().
std::unique_ptr<GruLayer> make_float16_gru_layer(const GruLayerTensors& tensors);

}  // namespace brainquant
