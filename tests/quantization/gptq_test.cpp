// GPTQ: NumPy's codes for single layers (tests/fixtures/int4_weights.py), and whole models against PyTorch's
// activations (tests/fixtures/check_gptq_file.py).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "brainquant/quantization/quantize_job.h"
#include "brainquant/support/error.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "quantization/calibration_backend.h"
#include "quantization/quantized_file.h"
#include "support/error_message.h"
#include "support/float_decoder_answers.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;
using testing::FloatDecoderAnswers;

/// A layer of the fixture.
struct Layer {
  Matrix inputs;
  Matrix weight;
  RoundingGrid grid;
  std::vector<std::int8_t> codes;  // NumPy's
};

std::vector<Layer> layers() {
  const testing::FixtureAnswers numpy(fs::path(BRAINQUANT_FIXTURES) / "int4_weights");
  std::vector<Layer> all;
  for (int i = 0; i < numpy.json.at("layers").get<int>(); ++i) {
    const std::string number = std::to_string(i);
    const auto matrix = [&](const std::string& name) {
      return Matrix{numpy.shape(name)[0], numpy.shape(name)[1], numpy.array<float>(name)};
    };
    Layer layer{matrix("layer_inputs." + number), matrix("layer_weights." + number), {}, {}};
    layer.grid = {-8, 7, numpy.shape("layer_steps." + number)[1], numpy.array<std::int64_t>("layer_groups." + number),
                  numpy.array<double>("layer_steps." + number)};
    layer.codes = numpy.array<std::int8_t>("layer_codes." + number);
    all.push_back(std::move(layer));
  }
  return all;
}

std::vector<std::int8_t> rounded(const Layer& layer, int threads) {
  const std::unique_ptr<InputHessian> hessian = libtorch_calibration().make_hessian(layer.inputs.cols, threads);
  const std::int64_t first = layer.inputs.rows / 3;
  hessian->add(layer.inputs.values.data(), first, layer.inputs.cols);
  hessian->add(layer.inputs.row(first), layer.inputs.rows - first, layer.inputs.cols);
  hessian->factorize();
  return hessian->round(layer.weight, layer.grid);
}

/// The squared error of the products with the inputs: tr((W - Q) X^T X (W - Q)^T).
double objective(const Layer& layer, const std::vector<std::int8_t>& codes) {
  double sum = 0;
  for (std::int64_t n = 0; n < layer.inputs.rows; ++n) {
    for (std::int64_t r = 0; r < layer.weight.rows; ++r) {
      double lost = 0;
      for (std::int64_t c = 0; c < layer.weight.cols; ++c) {
        const std::int64_t group = layer.grid.group_of[static_cast<std::size_t>(c)];
        const double step = layer.grid.steps[static_cast<std::size_t>(r * layer.grid.groups + group)];
        lost += layer.inputs.row(n)[c] *
                (layer.weight.row(r)[c] - step * codes[static_cast<std::size_t>(r * layer.weight.cols + c)]);
      }
      sum += lost * lost;
    }
  }
  return sum;
}

TEST(Gptq, NumpysCodes) {
  ASSERT_GE(layers().size(), 3U);
  for (const Layer& layer : layers()) {
    SCOPED_TRACE(layer.weight.cols);
    EXPECT_EQ(rounded(layer, 1), layer.codes);
  }
}

TEST(Gptq, ProductsAreNearerThanWithTheNearestCodes) {
  for (const Layer& layer : layers()) {
    SCOPED_TRACE(layer.weight.cols);
    std::vector<std::int8_t> nearest;
    for (std::int64_t r = 0; r < layer.weight.rows; ++r) {
      for (std::int64_t c = 0; c < layer.weight.cols; ++c) {
        const std::int64_t group = layer.grid.group_of[static_cast<std::size_t>(c)];
        const double step = layer.grid.steps[static_cast<std::size_t>(r * layer.grid.groups + group)];
        nearest.push_back(
            static_cast<std::int8_t>(std::clamp(std::nearbyint(layer.weight.row(r)[c] / step), -8.0, 7.0)));
      }
    }
    EXPECT_LT(objective(layer, rounded(layer, 2)), 0.8 * objective(layer, nearest));
  }
}

TEST(Gptq, RowsOfInputsMayOverlap) {
  const std::int64_t inputs = 12, stride = 5, count = 7;
  std::vector<float> bins;
  for (int i = 0; i < 100; ++i) bins.push_back(std::sin(static_cast<float>(i * i)));
  Layer layer;
  layer.inputs = {count, inputs, {}};
  for (std::int64_t n = 0; n < count; ++n) {
    for (std::int64_t c = 0; c < inputs; ++c) {
      layer.inputs.values.push_back(bins[static_cast<std::size_t>(n * stride + c)]);
    }
  }
  layer.weight = {2, inputs, std::vector<float>(bins.begin() + 50, bins.begin() + 50 + 2 * inputs)};
  layer.grid = {-8, 7, 1, std::vector<std::int64_t>(static_cast<std::size_t>(inputs)), {0.13, 0.2}};
  const std::unique_ptr<InputHessian> hessian = libtorch_calibration().make_hessian(inputs, 1);
  hessian->add(bins.data(), count, stride);
  hessian->factorize();
  EXPECT_EQ(hessian->round(layer.weight, layer.grid), rounded(layer, 1));
}

TEST(Gptq, InputsThatAreAlwaysZeroOrNotFinite) {
  const Matrix weight{1, 3, {0.26F, -0.9F, 5.0F}};
  const RoundingGrid grid{-8, 7, 1, {0, 0, 0}, {0.1}};
  const std::unique_ptr<InputHessian> zero = libtorch_calibration().make_hessian(3, 1);
  const std::vector<float> nothing(6);
  zero->add(nothing.data(), 2, 3);
  zero->factorize();
  EXPECT_EQ(zero->round(weight, grid), (std::vector<std::int8_t>{3, -8, 7}));  // the nearest
  const std::unique_ptr<InputHessian> infinite = libtorch_calibration().make_hessian(3, 1);
  const std::vector<float> values = {1.0F, std::numeric_limits<float>::infinity(), 1.0F};
  infinite->add(values.data(), 1, 3);
  testing::expect_contains(testing::message_of<WorkError>([&] { infinite->factorize(); }), "GPTQ");
}

QuantizeJob job_of(const fs::path& output) {
  QuantizeJob job;
  job.model_path = FloatDecoderAnswers::folder() / "model";
  job.data_dir = FloatDecoderAnswers::folder() / "data";
  job.output_path = output;
  job.options.dtype = Dtype::qint4;
  job.options.weight_rounding = WeightRounding::gptq;
  return job;
}

TEST(Gptq, ThreadsAndBatchesChangeNoByte) {
  const ScratchFolder folder;
  QuantizeJob job = job_of(folder / "q.pt");
  job.options.quantization_type = QuantizationType::static_per_channel;
  job.options.gptq_samples = 5;  // of 9
  job.force = true;
  std::string expected;
  for (const int threads : {1, 2, 3}) {
    for (const std::int64_t batch_size : {1, 4, 32}) {
      job.threads = threads;
      job.calibration_batch_size = batch_size;
      EXPECT_EQ(run_quantize_job(job, libtorch_calibration()).calibration_trials, 9);
      const std::string bytes = bytes_of(job.output_path);
      if (expected.empty()) expected = bytes;
      EXPECT_TRUE(bytes == expected) << threads << " threads, batches of " << batch_size;
    }
  }
}

// Python computes each matrix's inputs with PyTorch from the file's calibration trials, and GPTQ by NumPy.
void expect_pytorchs_codes(const QuantizationOptions& options, int matrices) {
  const ScratchFolder folder;
  QuantizeJob job = job_of(folder / "q.pt");
  job.options = options;
  run_quantize_job(job, libtorch_calibration());
  const std::string command = fmt::format("'{}' '{}' '{}' '{}' {}", BRAINQUANT_PYTHON, BRAINQUANT_CHECK_GPTQ_FILE,
                                          job.output_path.string(), FloatDecoderAnswers::folder().string(), matrices);
  EXPECT_EQ(std::system(command.c_str()), 0) << options.variant_name();
}

TEST(Gptq, PyTorchsActivationsGiveTheFilesCodes) {
  for (const QuantizationType type : {QuantizationType::dynamic_range, QuantizationType::static_per_channel}) {
    for (const std::int64_t samples : {5, 64}) {
      QuantizationOptions options = job_of("").options;
      options.quantization_type = type;
      options.gptq_samples = samples;
      expect_pytorchs_codes(options, 3 + 2 * 3 + 1);  // sessions, layers and out
    }
  }
}

TEST(Gptq, PyTorchsActivationsGiveTheCodesOfInt8Files) {
  for (const QuantizationOptions& method : {all_methods()[2], all_methods()[3]}) {
    expect_pytorchs_codes(method, 3 + 2 * 3 + 1);
  }
  QuantizationOptions dynamic;
  dynamic.weight_rounding = WeightRounding::gptq;
  expect_pytorchs_codes(dynamic, 3 + 2 * 3 + 1);
}

TEST(Gptq, PyTorchsActivationsGiveTheCodesOfMixedFiles) {
  QuantizationOptions options = job_of("").options;
  options.dtype = Dtype::mixed;
  for (const std::string rule : {"out.weight=4", "*_hh_*=4", "gru.weight_ih_l[02]=4", "day_residuals.1=4"}) {
    options.bits = {rule};
    expect_pytorchs_codes(options, 3 + 2 * 3 + 1);
  }
}

TEST(Gptq, DayLayersLeftInFp32NeedNoInputs) {
  const ScratchFolder folder;
  QuantizeJob job = job_of(folder / "q.pt");
  job.options.day_layers = DayLayers::keep_float;
  run_quantize_job(job, libtorch_calibration());
  const QuantizedModel model = load_quantized_model(job.output_path);
  EXPECT_TRUE(model.day_residuals.empty());
  EXPECT_EQ(model.options.effective_weight_rounding(), WeightRounding::gptq);
  EXPECT_EQ(model.provenance.calibration_trials.size(), 9U);
  EXPECT_FALSE(model.activation_scales.has_value());
}

}  // namespace
}  // namespace brainquant
