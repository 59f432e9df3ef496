#include "experiment/finished_work.h"

#include <gtest/gtest.h>

#include "brainquant/experiment/experiment.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

TEST(FinishedWork, WhatIsWrittenIsRead) {
  const ScratchFolder scratch;
  FinishedWork work;
  work.model_path = "models/seed1";
  work.files = {{"a.csv", "11"}, {"b.json", "22"}};
  work.quantize_seconds = 1.5;
  work.quantize_peak_memory_bytes = 77;
  write_finished_work(work, scratch / "w.json");
  EXPECT_FALSE(read_finished_work(scratch / "w.json")->key.has_value());
  work.key.emplace();
  work.key->set("cpu", "n\xff");
  write_finished_work(work, scratch / "w.json");
  const std::optional<FinishedWork> read = read_finished_work(scratch / "w.json");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->model_path, work.model_path);
  EXPECT_EQ(read->files, work.files);
  EXPECT_EQ(read->quantize_seconds, 1.5);
  EXPECT_EQ(read->quantize_peak_memory_bytes, 77);
  EXPECT_FALSE(read->key->difference(*work.key).has_value());
}

TEST(FinishedWork, OtherFilesCountAsNone) {
  const ScratchFolder scratch;
  EXPECT_FALSE(read_finished_work(scratch / "missing.json").has_value());
  for (const std::string bad : {"", "{", "[]", "{}", R"({"schema":"brainquant/finished_work","schema_version":1})"}) {
    write_bytes(scratch / "w.json", bad);
    EXPECT_FALSE(read_finished_work(scratch / "w.json").has_value()) << bad;
  }
}

TEST(FinishedWork, NamesAModelBelowTheOutputFolderRelativeToIt) {
  const ScratchFolder scratch;
  fs::create_directories(scratch / "out/models/seed1/checkpoint");
  fs::create_directories(scratch / "elsewhere");
  fs::create_directory_symlink(scratch / "out/models", scratch / "link");
  const fs::path out = scratch / "out";
  EXPECT_EQ(recorded_model_path(scratch / "out/models/seed1", out), "models/seed1");
  EXPECT_EQ(recorded_model_path(scratch / "out/models/seed1/", out), "models/seed1");
  EXPECT_EQ(recorded_model_path(scratch / "out/models/seed1/checkpoint", out), "models/seed1");
  EXPECT_EQ(recorded_model_path(scratch / "link/seed1", out), "models/seed1");
  EXPECT_EQ(recorded_model_path(scratch / "elsewhere", out), fs::canonical(scratch / "elsewhere").string());
}

TEST(ResultNames, DefaultOptionsKeepTheDocumentedNames) {
  ExperimentOptions options;
  QuantizationOptions quantization;
  EXPECT_EQ(results_stem(options, Method{}), "fp32_val");
  EXPECT_EQ(results_stem(options, Method{quantization}), "dynamic_qint8_val");
  quantization.weight_granularity = Granularity::per_tensor;  // the default, spelled out
  EXPECT_EQ(results_stem(options, Method{quantization}), "dynamic_qint8_val");
  quantization.weight_granularity = Granularity::per_channel;
  quantization.day_layers = DayLayers::keep_float;
  options.data.split = Split::test;
  EXPECT_EQ(results_stem(options, Method{quantization}), "dynamic_qint8-per_channel-float_days_test");
  quantization = {};
  quantization.quantization_type = QuantizationType::static_per_channel;
  quantization.observer = ObserverKind::histogram;
  quantization.calibration_samples = 200;
  options.data.split = Split::val;
  options.data.max_trials = 5;
  EXPECT_EQ(results_stem(options, Method{quantization}), "static_per_channel_qint8-histogram-n200_val-first5");
  options.data.sessions = {"t15.2023.08.11"};
  EXPECT_EQ(results_stem(options, Method{}), "fp32_val-of_t15.2023.08.11-first5");
  options.data.sessions.assign(40, "t15.2023.08.11");
  EXPECT_LT(results_stem(options, Method{}).size(), 40U);
}

TEST(ResultNames, DocumentedMethodsTakeOnlyTheirOwnOptions) {
  QuantizationOptions dynamic;
  dynamic.calibration_samples = 5;  // no meaning without calibration
  EXPECT_EQ(dynamic.variant_name(), "dynamic_qint8");
}

}  // namespace
}  // namespace brainquant
