#include <fmt/format.h>

#include <set>
#include <utility>

#include "io/torch_archive.h"
#include "quantization/quantized_file.h"
#include "quantization/quantized_file_head.h"
#include "quantization/tensor_loader.h"

namespace brainquant {

namespace {

WeightShape shape_of(const DecoderConfig& config, const WeightId& id) {
  switch (id.part) {
    case WeightId::Part::day_residual:
      return {config.n_input_features, config.n_input_features, config.n_input_features};
    case WeightId::Part::weight_ih:
      return {3 * config.n_units, id.index == 0 ? config.step_input_size() : config.n_units,
              config.run_of_layer(static_cast<std::int64_t>(id.index))};
    case WeightId::Part::weight_hh:
      return {3 * config.n_units, config.n_units, config.n_units};
    case WeightId::Part::out:
      return {config.n_classes, config.n_units, config.n_units};
  }
  refuse_enumerator(static_cast<int>(id.part));
}

}  // namespace

struct QuantizedFileReader::Impl {
  TorchArchiveReader archive;
  QuantizedFileHead head;
  TensorLoader tensors;
  QuantizedModel model;

  Impl(const std::filesystem::path& path, const RunContext& context)
      : archive(path, context),
        head(read_head(archive.root_field())),
        tensors(archive, head.format_version, head.options) {
    model.config = head.config;
    model.options = head.options;
    model.provenance = head.provenance;
    const DecoderConfig& config = model.config;
    const std::int64_t features = config.n_input_features;
    const bool float_days = model.options.day_layers == DayLayers::keep_float;
    if (!float_days) model.day_residuals.resize(config.sessions.size());
    for (std::size_t d = 0; d < config.sessions.size(); ++d) {
      context.cancel.check();
      if (float_days) {
        model.day_weights.push_back(
            {features, features, tensors.float32(fmt::format("day_weights.{}", d), {features, features})});
      }
      model.day_biases.push_back(tensors.float32(fmt::format("day_biases.{}", d), {features}));
    }
    for (std::int64_t k = 0; k < config.n_layers; ++k) {
      QuantizedGruLayer layer;
      layer.bias_ih = tensors.float32(fmt::format("gru.bias_ih_l{}", k), {3 * config.n_units});
      layer.bias_hh = tensors.float32(fmt::format("gru.bias_hh_l{}", k), {3 * config.n_units});
      model.gru.push_back(std::move(layer));
    }
    model.out_bias = tensors.float32("out.bias", {config.n_classes});
    model.h0 = tensors.float32("h0", {config.n_units});
    if (model.options.is_static()) {
      model.activation_scales = read_activation_scales(archive.root_field().at("activation_scales"), config.n_layers);
    }
  }
};

QuantizedFileReader::QuantizedFileReader(const std::filesystem::path& path, const RunContext& context)
    : impl_(std::make_unique<Impl>(path, context)) {}

QuantizedFileReader::~QuantizedFileReader() = default;

int QuantizedFileReader::format_version() const { return impl_->head.format_version; }
const QuantizedModel& QuantizedFileReader::model() const { return impl_->model; }

std::vector<WeightFormat> QuantizedFileReader::weight_formats() const {
  std::set<WeightFormat> formats;
  for (const WeightId& id : weight_ids(impl_->model)) formats.insert(impl_->tensors.format_of_weight(name_of(id)));
  return {formats.begin(), formats.end()};
}

void QuantizedFileReader::with_weight(const WeightId& id, const std::function<void(const WeightMatrix&)>& use) const {
  use(impl_->tensors.weight(name_of(id), shape_of(impl_->model.config, id)));
}

QuantizedModel QuantizedFileReader::read_all(const RunContext& context) const {
  QuantizedModel model = impl_->model;
  for (const WeightId& id : weight_ids(model)) {
    context.cancel.check();
    weight_of(model, id) = impl_->tensors.weight(name_of(id), shape_of(model.config, id));
  }
  require_all_read();
  return model;
}

void QuantizedFileReader::require_all_read() const { impl_->tensors.require_all_taken(); }
std::string QuantizedFileReader::file_sha256() const { return impl_->archive.file_sha256(); }
std::int64_t QuantizedFileReader::file_bytes() const { return static_cast<std::int64_t>(impl_->archive.file_bytes()); }
void QuantizedFileReader::require_unchanged() const { impl_->archive.require_unchanged(); }

QuantizedModel load_quantized_model(const std::filesystem::path& path, const RunContext& context) {
  return QuantizedFileReader(path, context).read_all(context);
}

LoadedQuantizedFile load_quantized_file(const std::filesystem::path& path, const RunContext& context) {
  const QuantizedFileReader reader(path, context);
  LoadedQuantizedFile loaded;
  loaded.format_version = reader.format_version();
  loaded.model = reader.read_all(context);
  loaded.sha256 = reader.file_sha256();
  loaded.bytes = reader.file_bytes();
  reader.require_unchanged();
  return loaded;
}

}  // namespace brainquant
