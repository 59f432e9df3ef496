// A model's weight matrices, one at a time: so that whoever needs each only once need not hold all of them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "quantization/quantized_model.h"

namespace brainquant {

/// One weight matrix of a model.
struct WeightId {
  enum class Part { day_residual, weight_ih, weight_hh, out };
  Part part;
  std::size_t index = 0;  // of the session or the layer; 0 for out
};

/// "day_residuals.3", "gru.weight_ih_l0", "gru.weight_hh_l4", "out.weight": as in a quantized file.
std::string name_of(const WeightId& id);

/// All of a model's, in the order of a quantized file; `model`'s matrices may be empty.
std::vector<WeightId> weight_ids(const QuantizedModel& model);

const WeightMatrix& weight_of(const QuantizedModel& model, const WeightId& id);
WeightMatrix& weight_of(QuantizedModel& model, const WeightId& id);

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  /// Calls `use` with the matrix, which is there for this call only. Several threads may call it at once.
  virtual void with_weight(const WeightId& id, const std::function<void(const WeightMatrix&)>& use) const = 0;
};

/// The matrices of a model in memory, which must outlive it.
class ModelWeights final : public WeightSource {
 public:
  explicit ModelWeights(const QuantizedModel& model) : model_(model) {}
  void with_weight(const WeightId& id, const std::function<void(const WeightMatrix&)>& use) const override {
    use(weight_of(model_, id));
  }

 private:
  const QuantizedModel& model_;
};

}  // namespace brainquant
