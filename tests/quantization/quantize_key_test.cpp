// What decides whether a quantized file that is there is kept: every field of the key changes the answer.
#include "quantization/quantize_key.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "brainquant/support/error.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "quantization/quantized_file.h"
#include "support/atomic_file.h"
#include "support/error_message.h"
#include "support/float_decoder_answers.h"
#include "support/sha256.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;
using testing::expect_contains;
using testing::FloatDecoderAnswers;
using testing::message_of;

/// A job of its own model and recordings, and a file that it made.
class QuantizeKeyTest : public ::testing::Test {
 protected:
  QuantizeKeyTest() {
    for (const char* part : {"model", "data"}) {
      fs::copy(FloatDecoderAnswers::folder() / part, folder_ / part, fs::copy_options::recursive);
    }
    job_.model_path = folder_ / "model";
    job_.data_dir = folder_ / "data";
    job_.output_path = folder_ / "made" / "quantized_model.pt";
  }

  void make(QuantizationType type) {
    job_.options.quantization_type = type;
    ASSERT_FALSE(run_quantize_job(job_, libtorch_calibration()).skipped);
  }
  void expect_kept() { EXPECT_TRUE(run_quantize_job(job_, libtorch_calibration()).skipped); }

  /// The file is refused with `reason`, made anew if it must be, and then kept.
  void expect_refused(const std::string& reason) {
    SCOPED_TRACE(reason);
    EXPECT_EQ(difference_from_file(job_, job_.output_path, libtorch_calibration()), reason);
    const std::string message = message_of<FileError>([&] { run_quantize_job(job_, libtorch_calibration()); });
    expect_contains(message, fmt::format("quantized_model.pt: already exists and {}; --force", reason));
    job_.force = true;
    EXPECT_FALSE(run_quantize_job(job_, libtorch_calibration()).skipped);
    job_.force = false;
    expect_kept();
    EXPECT_EQ(difference_from_file(job_, job_.output_path, libtorch_calibration()), std::nullopt);
  }

  /// The file as a tool with another provenance would have written it.
  void forge(const std::function<void(Provenance&)>& change) {
    QuantizedModel model = load_quantized_model(job_.output_path);
    change(model.provenance);
    save_quantized_model(model, job_.output_path);
  }

  void run_python(const std::string& program) {
    ASSERT_EQ(std::system(fmt::format("'{}' -c '{}'", BRAINQUANT_PYTHON, program).c_str()), 0);
  }

  ScratchFolder folder_;
  QuantizeJob job_;
};

TEST_F(QuantizeKeyTest, NothingChangedIsKept) {
  for (const QuantizationOptions& options : all_methods()) {
    job_.options = options;
    job_.force = true;
    run_quantize_job(job_, libtorch_calibration());
    job_.force = false;
    expect_kept();
    EXPECT_EQ(
        quantize_key(job_, libtorch_calibration()).difference(quantize_key(load_quantized_model(job_.output_path))),
        std::nullopt);
  }
}

TEST_F(QuantizeKeyTest, WhatDoesNotChangeTheFileIsNotLookedAt) {
  make(QuantizationType::static_per_tensor);
  job_.calibration_batch_size = 3;
  job_.threads = 2;
  job_.options.observer = ObserverKind::minmax;  // the default
  expect_kept();
  job_.options = {};
  job_.force = true;
  run_quantize_job(job_, libtorch_calibration());
  job_.force = false;
  job_.options.calibration_samples = 7;
  job_.options.weight_granularity = Granularity::per_tensor;  // the default
  job_.data_dir = "/nowhere";
  expect_kept();
}

TEST_F(QuantizeKeyTest, Options) {
  make(QuantizationType::dynamic_range);
  job_.options.weight_granularity = Granularity::per_channel;
  expect_refused("was made otherwise: weight_granularity was per_tensor, is per_channel");
  job_.options.day_layers = DayLayers::keep_float;
  expect_refused("was made otherwise: day_layers was quantize, is float");
  job_.options.weight_granularity.reset();
  job_.options.dtype = Dtype::float16;
  expect_refused("was made otherwise: dtype was qint8, is float16");
  job_.options = {};
  job_.options.quantization_type = QuantizationType::static_per_channel;
  expect_refused("was made otherwise: quantization_type was dynamic, is static_per_channel");
  job_.options.observer = ObserverKind::percentile;
  expect_refused("was made otherwise: observer was minmax, is percentile");
  job_.options.calibration_samples = 999;  // all 9 that there are, as with 1000
  expect_refused("was made otherwise: calibration_samples was 1000, is 999");
}

TEST_F(QuantizeKeyTest, FourBits) {
  job_.options.dtype = Dtype::qint4;
  make(QuantizationType::dynamic_range);
  job_.options.weight_rounding = WeightRounding::nearest;  // the default
  job_.options.gptq_samples = 3;                           // no meaning
  job_.data_dir = "/nowhere";
  expect_kept();
  job_.data_dir = folder_ / "data";
  job_.options.weight_rounding = WeightRounding::gptq;
  EXPECT_EQ(difference_from_file(job_, job_.output_path, libtorch_calibration()).value_or("").find("was made"), 0U);
  job_.force = true;
  EXPECT_EQ(run_quantize_job(job_, libtorch_calibration()).calibration_trials, 3);
  job_.force = false;
  expect_kept();
  job_.options.gptq_samples = 4;
  expect_refused("was made otherwise: gptq_samples was 3, is 4");
  job_.options.calibration_samples = 5;  // no meaning
  expect_kept();
  EXPECT_EQ(quantize_key(job_, libtorch_calibration()).difference(quantize_key(load_quantized_model(job_.output_path))),
            std::nullopt);
  job_.options.quantization_type = QuantizationType::static_per_channel;
  expect_refused("was made otherwise: quantization_type was dynamic, is static_per_channel");
  job_.options.dtype = Dtype::mixed;
  job_.options.bits = {"gru.*=4"};
  expect_refused("was made otherwise: dtype was qint4, is mixed");
  job_.options.bits = {"gru.*=4", "out.weight=4"};
  expect_refused("was made otherwise: bits was gru.*=4, is gru.*=4,out.weight=4");
}

TEST_F(QuantizeKeyTest, Checkpoint) {
  make(QuantizationType::dynamic_range);
  const fs::path weights = folder_ / "model/checkpoint/best_checkpoint";
  const std::string was = sha256_of_file(weights);
  run_python(fmt::format("import torch; p = \"{}\"; c = torch.load(p); c[\"val_loss\"] = 1.0; torch.save(c, p)",
                         weights.string()));
  expect_refused(fmt::format("was made otherwise: checkpoint_sha256 was {}, is {}", was, sha256_of_file(weights)));
}

TEST_F(QuantizeKeyTest, ArgsYaml) {
  make(QuantizationType::dynamic_range);
  const fs::path args = folder_ / "model/checkpoint/args.yaml";
  const std::string was = sha256_of_file(args);
  std::string text = bytes_of(args);
  const std::size_t at = text.find("patch_stride: 2");
  ASSERT_NE(at, std::string::npos);
  write_bytes(args, text.replace(at, 15, "patch_stride: 3"));
  expect_refused(fmt::format("was made otherwise: args_sha256 was {}, is {}", was, sha256_of_file(args)));
}

TEST_F(QuantizeKeyTest, CalibrationData) {
  make(QuantizationType::static_per_tensor);
  // The same trials, one number of one of them another one.
  run_python(fmt::format("import h5py; f = h5py.File(\"{}\", \"r+\"); f[\"trial_0002/input_features\"][5, 3] += 0.5",
                         (folder_ / "data/t15.2023.08.11/data_train.hdf5").string()));
  const std::string was = load_quantized_model(job_.output_path).provenance.calibration_sha256.value();
  const std::string is = quantize_key(job_, libtorch_calibration()).value("calibration_sha256");
  EXPECT_NE(was, is);
  expect_refused(fmt::format("was made otherwise: calibration_sha256 was {}, is {}", was, is));
  fs::remove(folder_ / "data/t15.2023.08.18/data_train.hdf5");
  expect_contains(difference_from_file(job_, job_.output_path, libtorch_calibration()).value_or(""),
                  "calibration_sha256");
}

TEST_F(QuantizeKeyTest, ToolAndLibTorch) {
  make(QuantizationType::static_per_tensor);
  const Provenance made = load_quantized_model(job_.output_path).provenance;
  forge([](Provenance& provenance) { provenance.tool_version = "0.0.9"; });
  expect_refused("was made otherwise: tool_version was 0.0.9, is " + made.tool_version);
  forge([](Provenance& provenance) { provenance.libtorch_version = "1.13.1"; });
  expect_refused("was made otherwise: libtorch_version was 1.13.1, is " + made.libtorch_version.value());
}

TEST_F(QuantizeKeyTest, FilesThatAreNone) {
  EXPECT_EQ(difference_from_file(job_, job_.output_path, libtorch_calibration()), "is not there");
  write_bytes(job_.output_path, "something else");
  expect_refused("is not a valid quantized file");
}

// A file of version 1 of the same checkpoint and options: what it was made from is not all known.
TEST_F(QuantizeKeyTest, FilesOfVersion1AreNeverTakenForFinished) {
  fs::create_directories(job_.output_path.parent_path());
  fs::copy_file(fs::path(BRAINQUANT_FILES_V1) / "dynamic_qint8.pt", job_.output_path);
  expect_refused("was made by version 0.1.0 in file format 1, which does not say all that it was made from");
}

// A fault of the recordings is not one of the file.
TEST_F(QuantizeKeyTest, FaultsOfTheDataAreNamedAsSuch) {
  make(QuantizationType::static_per_tensor);
  write_bytes(folder_ / "data/t15.2023.08.11/data_train.hdf5", "no HDF5");
  expect_contains(message_of<FormatError>([&] { run_quantize_job(job_, libtorch_calibration()); }), "data_train.hdf5");
}

TEST_F(QuantizeKeyTest, CalibratingAModelThatIsNotSmoothedSaysSo) {
  struct : Log {
    void warning(const std::string& message) override { warnings += message + "\n"; }
    std::string warnings;
  } log;
  Progress progress;
  const CancelToken cancel;
  const fs::path args = folder_ / "model/checkpoint/args.yaml";
  std::string text = bytes_of(args);
  const std::size_t at = text.find("smooth_data: true");
  ASSERT_NE(at, std::string::npos);
  write_bytes(args, text.replace(at, 17, "smooth_data: false"));
  job_.options.quantization_type = QuantizationType::static_per_tensor;
  run_quantize_job(job_, libtorch_calibration(), RunContext(log, progress, cancel));
  expect_contains(log.warnings, "public evaluator smooths");
}

}  // namespace
}  // namespace brainquant
