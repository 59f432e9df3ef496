#include "torch/gru_layer.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <tuple>
#include <utility>
#include <vector>

namespace brainquant {

namespace {

class Fp32GruLayer : public GruLayer {
 public:
  explicit Fp32GruLayer(GruLayerTensors tensors)
      : parameters_{std::move(tensors.weight_ih), std::move(tensors.weight_hh), std::move(tensors.bias_ih),
                    std::move(tensors.bias_hh)} {}

  at::Tensor sequence(const at::Tensor& input, at::Tensor& state) const override {
    auto [output, last] = at::gru(input, state.unsqueeze(0), parameters_, /*has_biases=*/true, /*num_layers=*/1,
                                  /*dropout=*/0.0, /*train=*/false, /*bidirectional=*/false, /*batch_first=*/false);
    state = last.squeeze(0);
    return output;
  }

  at::Tensor step(const at::Tensor& input, const at::Tensor& state) const override {
    return at::gru_cell(input, state, parameters_[0], parameters_[1], parameters_[2], parameters_[3]);
  }

 private:
  std::vector<at::Tensor> parameters_;
};

/// Calls an operator by its registered name: those on packed FP16 weights have no function in LibTorch's headers.
torch::jit::Stack call(const char* name, const char* overload, torch::jit::Stack arguments) {
  c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).callBoxed(&arguments);
  return arguments;
}

class Float16GruLayer : public GruLayer {
 public:
  explicit Float16GruLayer(const GruLayerTensors& tensors)
      : weight_ih_(packed(tensors.weight_ih, tensors.bias_ih)),
        weight_hh_(packed(tensors.weight_hh, tensors.bias_hh)),
        bias_ih_(tensors.bias_ih),
        bias_hh_(tensors.bias_hh) {
    const c10::IValue cell = call("quantized::make_quantized_cell_params_fp16", "", {weight_ih_, weight_hh_})[0];
    c10::impl::GenericList cells(cell.type());
    cells.push_back(cell);
    cells_ = cells;
  }

  at::Tensor sequence(const at::Tensor& input, at::Tensor& state) const override {
    const torch::jit::Stack results =
        call("aten::quantized_gru", "input",
             {input, state.unsqueeze(0), cells_, /*has_biases=*/true, /*num_layers=*/std::int64_t{1}, /*dropout=*/0.0,
              /*train=*/false, /*bidirectional=*/false, /*batch_first=*/false});
    state = results[1].toTensor().squeeze(0);
    return results[0].toTensor();
  }

  at::Tensor step(const at::Tensor& input, const at::Tensor& state) const override {
    return call("quantized::quantized_gru_cell_dynamic", "",
                {input, state, weight_ih_, weight_hh_, bias_ih_, bias_hh_})[0]
        .toTensor();
  }

 private:
  static c10::IValue packed(const at::Tensor& weight, const at::Tensor& bias) {
    return call("quantized::linear_prepack_fp16", "", {weight, bias})[0];
  }

  c10::IValue weight_ih_, weight_hh_;  // packed, each with its bias
  at::Tensor bias_ih_, bias_hh_;
  c10::IValue cells_;  // both, as the operator over whole sequences takes them
};

}  // namespace

std::unique_ptr<GruLayer> make_fp32_gru_layer(GruLayerTensors tensors) {
  return std::make_unique<Fp32GruLayer>(std::move(tensors));
}

bool has_float16_gru_layers() {
  const at::QEngine engine = at::globalContext().qEngine();
  return engine == at::QEngine::FBGEMM || engine == at::QEngine::X86;
}

std::unique_ptr<GruLayer> make_float16_gru_layer(const GruLayerTensors& tensors) {
  return std::make_unique<Float16GruLayer>(tensors);
}

}  // namespace brainquant
