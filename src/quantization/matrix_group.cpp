#include "quantization/matrix_group.h"

#include <fmt/format.h>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

constexpr const char* kOutGroup = "out.weight";

std::string input_group(std::size_t layer) { return fmt::format("gru.weight_ih_l{}", layer); }
std::string hidden_group(std::size_t layer) { return fmt::format("gru.weight_hh_l{}", layer); }

auto& day_layers_of(DecoderWeights& weights) { return weights.day_weights; }
auto& day_layers_of(const DecoderWeights& weights) { return weights.day_weights; }
auto& day_layers_of(QuantizedModel& model) { return model.day_residuals; }
auto& day_layers_of(const QuantizedModel& model) { return model.day_residuals; }

template <typename Weights>
void copy_group_of(const std::string& group, const Weights& from, Weights& to) {
  if (group == kDayLayersGroup) {
    day_layers_of(to) = day_layers_of(from);
    return;
  }
  if (group == kOutGroup) {
    to.out_weight = from.out_weight;
    return;
  }
  for (std::size_t k = 0; k < from.gru.size(); ++k) {
    if (group == input_group(k)) {
      to.gru[k].weight_ih = from.gru[k].weight_ih;
      return;
    }
    if (group == hidden_group(k)) {
      to.gru[k].weight_hh = from.gru[k].weight_hh;
      return;
    }
  }
  throw UsageError(fmt::format("no weight matrices are called '{}'", group));
}

}  // namespace

std::vector<MatrixGroup> matrix_groups(const DecoderConfig& config, DayLayers day_layers) {
  std::vector<MatrixGroup> groups;
  if (day_layers == DayLayers::quantize) {
    groups.push_back({kDayLayersGroup, static_cast<std::int64_t>(config.sessions.size()) * config.n_input_features *
                                           config.n_input_features});
  }
  for (std::size_t k = 0; k < static_cast<std::size_t>(config.n_layers); ++k) {
    const std::int64_t inputs = k == 0 ? config.step_input_size() : config.n_units;
    groups.push_back({input_group(k), 3 * config.n_units * inputs});
    groups.push_back({hidden_group(k), 3 * config.n_units * config.n_units});
  }
  groups.push_back({kOutGroup, config.n_classes * config.n_units});
  return groups;
}

void copy_group(const std::string& group, const DecoderWeights& from, DecoderWeights& to) {
  copy_group_of(group, from, to);
}

void copy_group(const std::string& group, const QuantizedModel& from, QuantizedModel& to) {
  copy_group_of(group, from, to);
}

}  // namespace brainquant
