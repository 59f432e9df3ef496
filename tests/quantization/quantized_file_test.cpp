// The quantized file: what is written comes back, the same bytes each time, and PyTorch reads it.
#include "quantization/quantized_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "io/scratch_folder.h"
#include "quantization/quantizer.h"
#include "quantization/report_tensors.h"
#include "quantization/same_model.h"
#include "support/sha256.h"
#include "support/small_decoder.h"

namespace brainquant {
namespace {

using testing::int8_ways;
using testing::random_model;
using testing::Shape;
using testing::text_of;

constexpr Shape kShape{5, 7, 2, 3, 2, 1, 2};

std::vector<QuantizationOptions> every_way() {
  std::vector<QuantizationOptions> ways = int8_ways();
  QuantizationOptions half;
  half.dtype = Dtype::float16;
  ways.push_back(half);
  half.day_layers = DayLayers::keep_float;
  ways.push_back(half);
  ways.push_back(testing::to_nearest(all_methods()[2]));
  ways.back().observer = ObserverKind::histogram;
  ways.back().calibration_samples = 17;
  for (const QuantizationOptions& way : testing::int4_ways()) ways.push_back(way);
  return ways;
}

constexpr const char* kLibTorch = "2.99.7";

QuantizedModel model_of(const QuantizationOptions& options) {
  QuantizedModel model = random_model(kShape, options, 12);
  model.provenance.val_per = 0.125;
  model.provenance.args_sha256 = std::string(64, 'c');
  model.config.smoothing = {false, 1.5, 40};
  if (options.is_static()) {
    model.provenance.calibration_trials = {"t15.2023.08.11/trial_0003", "t15.2023.08.12/trial_0000"};
    model.provenance.calibration_sha256 = std::string(64, 'd');
    model.provenance.libtorch_version = kLibTorch;
  }
  return model;
}

TEST(QuantizedFile, ComesBackAndIsTheSameBytesUnderAnyName) {
  const ScratchFolder folder;
  for (const QuantizationOptions& options : every_way()) {
    SCOPED_TRACE(text_of(options));
    const QuantizedModel model = model_of(options);
    save_quantized_model(model, folder / "a.pt");
    save_quantized_model(model, folder / "another_name.zip");
    EXPECT_EQ(bytes_of(folder / "a.pt"), bytes_of(folder / "another_name.zip"));
    testing::expect_same_model(load_quantized_model(folder / "a.pt"), model);
    const QuantizedFileHead head = read_quantized_head(folder / "a.pt");
    EXPECT_EQ(head.format_version, 2);
    EXPECT_TRUE(head.classes.empty());  // the model has 3
    EXPECT_EQ(head.options.method_name(), options.method_name());
    EXPECT_EQ(head.provenance.source_sha256, model.provenance.source_sha256);
    EXPECT_EQ(head.config.sessions, model.config.sessions);
  }
}

/// What the tool's reader has of the tensor, as check_quantized_file.py prints it.
std::string line_of(const StoredTensor& stored, const std::vector<float>& values) {
  return fmt::format("{}|{}|[{}]|{}", stored.name, stored.dtype, fmt::join(stored.shape, ", "),
                     sha256_of_bytes(values.data(), values.size() * sizeof(float)));
}

/// What PyTorch reads of the file: a line per tensor.
std::string lines_of_pytorch(const std::filesystem::path& path) {
  const std::string command =
      fmt::format("'{}' '{}' '{}'", BRAINQUANT_PYTHON, BRAINQUANT_CHECK_QUANTIZED_FILE, path.string());
  FILE* pipe = ::popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  if (pipe == nullptr) return "";
  std::string output;
  char piece[4096];
  for (std::size_t n; (n = std::fread(piece, 1, sizeof piece, pipe)) > 0;) output.append(piece, n);
  EXPECT_EQ(::pclose(pipe), 0);
  return output;
}

TEST(QuantizedFile, PyTorchReadsTheSameTensors) {
  const ScratchFolder folder;
  for (const QuantizationOptions& options : all_methods()) {
    SCOPED_TRACE(text_of(options));
    const Checkpoint checkpoint = testing::random_checkpoint(kShape, 12);
    const QuantizedModel model = model_of(options);
    save_quantized_model(model, folder / "a.pt");
    const std::string output = lines_of_pytorch(folder / "a.pt");
    const std::vector<StoredTensor> stored = stored_tensors(model);
    EXPECT_EQ(static_cast<std::size_t>(std::count(output.begin(), output.end(), '\n')), stored.size());
    for (const StoredTensor& tensor : stored) {
      EXPECT_NE(output.find(tensor.name + "|" + tensor.dtype + "|"), std::string::npos) << tensor.name;
      if (tensor.name == "gru.weight_ih_l1") {
        const Matrix values = dequantize(model.gru[1].weight_ih);
        EXPECT_NE(output.find(line_of(tensor, values.values)), std::string::npos);
        // Within half a scale (INT8), or half of the last of 11 bits (FP16), of the fp32 weights; and not equal to
        // them.
        const std::vector<float>& fp32 = checkpoint.weights.gru[1].weight_ih.values;
        double largest = 0;
        for (std::size_t i = 0; i < fp32.size(); ++i) {
          const double lost = std::fabs(static_cast<double>(values.values[i]) - fp32[i]);
          const auto* int8 = std::get_if<Int8Matrix>(&model.gru[1].weight_ih);
          const double half = int8 != nullptr ? 0.5 * int8->scale(static_cast<std::int64_t>(i) / 7)
                                              : std::ldexp(std::fabs(fp32[i]), -11);
          ASSERT_LE(lost, half * (1 + 1e-5)) << i;
          largest = std::max(largest, lost / half);
        }
        EXPECT_GT(largest, 0.5);
      }
      if (tensor.name == "day_residuals.1") {
        EXPECT_NE(output.find(line_of(tensor, dequantize(model.day_residuals[1]).values)), std::string::npos);
      }
      if (tensor.name == "h0") {
        EXPECT_NE(output.find(line_of(tensor, model.h0)), std::string::npos);
      }
    }
  }
}

// The names of the records, and that the values behind them are the tool's: 37 features make an odd number of inputs,
// of groups, and a short group in each bin.
TEST(QuantizedFile, PyTorchReadsTheSame4BitWeights) {
  const ScratchFolder folder;
  for (const QuantizationOptions& options : testing::int4_ways()) {
    for (const Shape& shape : {Shape{37, 100, 2, 41, 3, 2, 2}, Shape{37, 5, 1, 3, 0, 0, 1}}) {
      SCOPED_TRACE(text_of(options) + text_of(shape));
      const QuantizedModel model = random_model(shape, options, 12);
      save_quantized_model(model, folder / "a.pt");
      testing::expect_same_model(load_quantized_model(folder / "a.pt"), model);
      const std::string output = lines_of_pytorch(folder / "a.pt");
      const auto expect_line = [&](const std::string& name, const WeightMatrix& weight) {
        const std::vector<float> values = dequantize(weight).values;
        const std::string line =
            fmt::format("{}.codes|int4|[{}, {}]|{}\n", name, rows_of(weight), (cols_of(weight) + 1) / 2,
                        sha256_of_bytes(values.data(), values.size() * sizeof(float)));
        EXPECT_NE(output.find(line), std::string::npos) << line << output;
      };
      const bool mixed = options.dtype == Dtype::mixed;
      for (std::size_t d = 0; d < model.day_residuals.size() && !mixed; ++d) {
        expect_line(fmt::format("day_residuals.{}", d), model.day_residuals[d]);
      }
      for (std::size_t k = 0; k < model.gru.size(); ++k) {
        expect_line(fmt::format("gru.weight_ih_l{}", k), model.gru[k].weight_ih);
        if (k > 0 || !mixed) expect_line(fmt::format("gru.weight_hh_l{}", k), model.gru[k].weight_hh);
      }
      if (mixed) {
        expect_line("out.weight", model.out_weight);
        EXPECT_NE(output.find("day_residuals.0|int8|"), std::string::npos);
        EXPECT_NE(output.find("gru.weight_hh_l0|int8|"), std::string::npos);
      } else {
        EXPECT_EQ(format_of(model.out_weight), WeightFormat::int8);
        EXPECT_NE(output.find("out.weight|int8|"), std::string::npos);
      }
      EXPECT_NE(output.find(fmt::format("gru.weight_ih_l0.group_scales|int4|[{}, {}]|", 3 * shape.units,
                                        shape.patch_size == 3 ? 3 : 1)),
                std::string::npos)
          << output;
    }
  }
}

// INT8 files say nothing of rounding to nearest, as those of earlier versions do.
TEST(QuantizedFile, RoundingIsRecordedWith4BitsAndGptq) {
  const ScratchFolder folder;
  for (const QuantizationOptions& options : every_way()) {
    save_quantized_model(model_of(options), folder / "a.pt");
    const bool named = bytes_of(folder / "a.pt").find("weight_rounding") != std::string::npos;
    EXPECT_EQ(named, options.dtype == Dtype::qint4 || options.dtype == Dtype::mixed) << text_of(options);
  }
  for (const QuantizationOptions& options : {testing::int4_ways()[1], all_methods()[2], all_methods()[3]}) {
    QuantizedModel model = model_of(options);
    save_quantized_model(model, folder / "a.pt");
    EXPECT_EQ(read_quantized_head(folder / "a.pt").options.weight_rounding, WeightRounding::nearest);
    model.options.weight_rounding.reset();  // static: by GPTQ
    model.options.gptq_samples = 7;
    save_quantized_model(model, folder / "a.pt");
    const QuantizationOptions found = read_quantized_head(folder / "a.pt").options;
    EXPECT_EQ(found.weight_rounding, WeightRounding::gptq);
    EXPECT_EQ(found.gptq_samples, 7);
  }
}

// Each matrix in a format of its own: the file says which, PyTorch sees it, and it comes back.
TEST(QuantizedFile, MixesFormats) {
  const ScratchFolder folder;
  for (const QuantizationOptions& options : {all_methods()[0], all_methods()[3]}) {
    SCOPED_TRACE(text_of(options));
    const Checkpoint checkpoint = testing::random_checkpoint(kShape, 12);
    QuantizedModel model = model_of(options);
    model.day_residuals[1] = quantize_float16(day_residual(checkpoint.weights.day_weights[1]));
    model.gru[1].weight_hh = checkpoint.weights.gru[1].weight_hh;
    model.out_weight = quantize_float16(checkpoint.weights.out_weight);
    EXPECT_EQ(model.weight_formats(),
              (std::vector<WeightFormat>{WeightFormat::float32, WeightFormat::float16, WeightFormat::int8}));
    save_quantized_model(model, folder / "a.pt");
    const QuantizedModel found = load_quantized_model(folder / "a.pt");
    testing::expect_same_model(found, model);
    EXPECT_EQ(format_of(found.day_residuals[0]), WeightFormat::int8);
    EXPECT_EQ(format_of(found.day_residuals[1]), WeightFormat::float16);
    EXPECT_EQ(format_of(found.gru[1].weight_hh), WeightFormat::float32);
    const std::string output = lines_of_pytorch(folder / "a.pt");
    EXPECT_NE(output.find("day_residuals.1|float16|"), std::string::npos);
    EXPECT_NE(output.find("gru.weight_hh_l0|int8|"), std::string::npos);
    EXPECT_NE(output.find("gru.weight_hh_l1|float32|"), std::string::npos);
    EXPECT_EQ(output.find("gru.weight_hh_l1.scale"), std::string::npos);

    // The report counts each by its own: values, and a scale for the matrix or for each row.
    const std::vector<TensorReport> reports = report_tensors(checkpoint, model);
    const auto report_of = [&](const std::string& name) {
      return *std::find_if(reports.begin(), reports.end(), [&](const TensorReport& r) { return r.name == name; });
    };
    const std::int64_t scales = options.is_static() ? 3 * kShape.units : 1;
    EXPECT_EQ(report_of("gru.weight_hh_l0").bits, 8);
    EXPECT_EQ(report_of("gru.weight_hh_l0").bytes, 3 * kShape.units * kShape.units + 4 * scales);
    EXPECT_EQ(report_of("gru.weight_hh_l1").bits, 32);
    EXPECT_EQ(report_of("gru.weight_hh_l1").granularity, "-");
    EXPECT_EQ(report_of("gru.weight_hh_l1").bytes, 4 * 3 * kShape.units * kShape.units);
    EXPECT_EQ(report_of("out.weight").bits, 16);
    EXPECT_EQ(report_of("out.weight").bytes, 2 * kShape.classes * kShape.units);
  }
}

// A static file's activation scales depend on the LibTorch that calibrated; a dynamic file must be the same bytes with
// any.
TEST(QuantizedFile, OnlyStaticFilesNameLibTorch) {
  const ScratchFolder folder;
  for (const QuantizationOptions& options : all_methods()) {
    save_quantized_model(model_of(options), folder / "a.pt");
    const bool named = bytes_of(folder / "a.pt").find(kLibTorch) != std::string::npos;
    EXPECT_EQ(named, options.is_static()) << text_of(options);
    EXPECT_EQ(read_quantized_head(folder / "a.pt").provenance.libtorch_version.has_value(), options.is_static());
  }
}

TEST(QuantizedFile, LoadingGivesTheFactsOfTheFile) {
  const ScratchFolder folder;
  const QuantizedModel model = model_of(all_methods()[3]);
  save_quantized_model(model, folder / "a.pt");
  const LoadedQuantizedFile loaded = load_quantized_file(folder / "a.pt");
  const std::string bytes = bytes_of(folder / "a.pt");
  EXPECT_EQ(loaded.sha256, sha256_of_bytes(bytes.data(), bytes.size()));
  EXPECT_EQ(loaded.bytes, static_cast<std::int64_t>(bytes.size()));
  EXPECT_EQ(loaded.format_version, 2);
  testing::expect_same_model(loaded.model, model);
}

TEST(QuantizedFile, FilesOfVersion2AreRead) {
  const std::filesystem::path folder = BRAINQUANT_FILES_V2;
  for (const std::string name : {"dynamic_qint8", "dynamic_float16", "static_qint8", "static_per_channel_qint8",
                                 "static_per_channel_qint4", "static_per_channel_mixed"}) {
    SCOPED_TRACE(name);
    const QuantizedFileHead head = read_quantized_head(folder / (name + ".pt"));
    EXPECT_EQ(head.format_version, 2);
    ASSERT_EQ(head.classes.size(), 41U);
    EXPECT_EQ(head.classes[0], "BLANK");
    EXPECT_EQ(head.classes[39], "ZH");
    EXPECT_EQ(head.classes[40], "|");
    const QuantizedModel model = load_quantized_model(folder / (name + ".pt"));
    EXPECT_EQ(model.options.method_name(), name);
    EXPECT_EQ(model.provenance.source_sha256.size(), 64U);
    EXPECT_EQ(model.provenance.args_sha256.size(), 64U);
    EXPECT_EQ(model.provenance.calibration_sha256.value_or("").size(), model.options.is_static() ? 64U : 0U);
    EXPECT_EQ(model.provenance.libtorch_version.has_value(), model.options.is_static());
  }
}

TEST(QuantizedFile, FilesOfVersion1AreRead) {
  const std::filesystem::path folder = BRAINQUANT_FILES_V1;
  for (const std::string name : {"dynamic_qint8", "dynamic_float16", "static_qint8", "static_per_channel_qint8"}) {
    const QuantizedModel model = load_quantized_model(folder / (name + ".pt"));
    EXPECT_EQ(model.options.method_name(), name);
    EXPECT_EQ(model.config.n_units, 20);
    EXPECT_EQ(model.provenance.tool_version, "0.1.0");
    EXPECT_EQ(model.provenance.source_sha256.size(), 64U);
    EXPECT_EQ(model.provenance.calibration_trials.size(), model.options.is_static() ? 9U : 0U);
    EXPECT_EQ(model.provenance.args_sha256, "");
    EXPECT_FALSE(model.provenance.libtorch_version || model.provenance.calibration_sha256);
    EXPECT_TRUE(read_quantized_head(folder / (name + ".pt")).classes.empty());
  }
  const QuantizedModel with_float = load_quantized_model(folder / "static_qint8_day_layers_float.pt");
  EXPECT_EQ(with_float.options.day_layers, DayLayers::keep_float);
  EXPECT_EQ(with_float.options.effective_observer(), ObserverKind::histogram);
}

}  // namespace
}  // namespace brainquant
