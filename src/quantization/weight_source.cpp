#include "quantization/weight_source.h"

#include <fmt/format.h>

#include <utility>

namespace brainquant {

std::string name_of(const WeightId& id) {
  switch (id.part) {
    case WeightId::Part::day_residual:
      return fmt::format("day_residuals.{}", id.index);
    case WeightId::Part::weight_ih:
      return fmt::format("gru.weight_ih_l{}", id.index);
    case WeightId::Part::weight_hh:
      return fmt::format("gru.weight_hh_l{}", id.index);
    case WeightId::Part::out:
      return "out.weight";
  }
  refuse_enumerator(static_cast<int>(id.part));
}

std::vector<WeightId> weight_ids(const QuantizedModel& model) {
  std::vector<WeightId> ids;
  for (std::size_t d = 0; d < model.day_residuals.size(); ++d) ids.push_back({WeightId::Part::day_residual, d});
  for (std::size_t k = 0; k < model.gru.size(); ++k) {
    ids.push_back({WeightId::Part::weight_ih, k});
    ids.push_back({WeightId::Part::weight_hh, k});
  }
  ids.push_back({WeightId::Part::out});
  return ids;
}

const WeightMatrix& weight_of(const QuantizedModel& model, const WeightId& id) {
  switch (id.part) {
    case WeightId::Part::day_residual:
      return model.day_residuals[id.index];
    case WeightId::Part::weight_ih:
      return model.gru[id.index].weight_ih;
    case WeightId::Part::weight_hh:
      return model.gru[id.index].weight_hh;
    case WeightId::Part::out:
      return model.out_weight;
  }
  refuse_enumerator(static_cast<int>(id.part));
}

WeightMatrix& weight_of(QuantizedModel& model, const WeightId& id) {
  return const_cast<WeightMatrix&>(weight_of(std::as_const(model), id));
}

}  // namespace brainquant
