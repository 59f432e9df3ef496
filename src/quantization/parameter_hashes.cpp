#include "quantization/quantized_model.h"
#include "support/sha256.h"

namespace brainquant {

namespace {

void add(Sha256& hash, const std::vector<float>& values) {
  hash.update(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

}  // namespace

ParameterHashes parameter_hashes(const DecoderWeights& weights) {
  ParameterHashes hashes;
  Sha256 shared;
  for (const GruLayerWeights& layer : weights.gru) {
    add(shared, layer.weight_ih.values);
    add(shared, layer.weight_hh.values);
    add(shared, layer.bias_ih);
    add(shared, layer.bias_hh);
  }
  add(shared, weights.out_weight.values);
  add(shared, weights.out_bias);
  add(shared, weights.h0);
  hashes.shared = shared.hex();
  for (std::size_t d = 0; d < weights.day_weights.size(); ++d) {
    Sha256 day;
    add(day, weights.day_weights[d].values);
    add(day, weights.day_biases[d]);
    hashes.days.push_back(day.hex());
  }
  return hashes;
}

}  // namespace brainquant
