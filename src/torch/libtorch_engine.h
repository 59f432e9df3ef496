// Engines that run on LibTorch's operators: fp32 and FP16, and INT8 as a cross-check of our own.
#pragma once

#include <memory>

#include "brainquant/runtime/engine.h"
#include "model/decoder_weights.h"
#include "quantization/quantized_model.h"
#include "torch/float_decoder.h"

namespace brainquant {

/// What Engine::instructions() says of a model on a GPU.
inline constexpr const char* kGpuInstructions = "CUDA";

/// fp32 weights; gpu_number and products as in FloatDecoder.
std::unique_ptr<Engine> make_libtorch_float_engine(const DecoderConfig& config, const DecoderWeights& weights,
                                                   int gpu_number, GruProducts products);

/// INT8 by FBGEMM's u8 x s8 products. Close to docs/numerics.md, not the same bits: its sigmoid and tanh are
/// LibTorch's. On CPUs without VNNI those products saturate at 16 bits, so activations are taken with 7 bits there. CPU
/// only.
std::unique_ptr<Engine> make_libtorch_int8_engine(const QuantizedModel& model);

}  // namespace brainquant
