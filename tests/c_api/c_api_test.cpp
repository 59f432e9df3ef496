// The C library, called from C, from Python by ctypes, and with what it must refuse; against the C++ engines.
#include "brainquant/c_api.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "c_api/c_api_client.h"
#include "model/smoothing.h"
#include "quantization/quantized_file.h"
#include "runtime/random_checkpoint.h"
#include "torch/any_engine.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBins = 53;
constexpr std::int64_t kSession = 1;
constexpr const char* kSessionName = "t15.2023.08.13";

DecoderConfig small_config() {
  DecoderConfig config;
  config.n_input_features = 10;
  config.n_units = 18;
  config.n_layers = 3;
  config.patch_size = 4;
  config.patch_stride = 3;
  config.sessions = {"t15.2023.08.11", kSessionName};
  return config;
}

class CApi : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              fmt::format("c_api_{}", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    std::mt19937 random(3);
    features_ = testing::normal_values(kBins * small_config().n_input_features, 1.0F, random);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string save(const QuantizationOptions& options) {
    model_ = testing::quantized(testing::random_checkpoint(small_config()), options);
    const fs::path path = folder_ / (options.method_name() + ".pt");
    save_quantized_model(model_, path);
    return path.string();
  }
  bq_model* opened(const std::string& path) {
    bq_model* model = nullptr;
    EXPECT_EQ(bq_model_open(path.c_str(), nullptr, &model), BQ_OK) << bq_last_error();
    return model;
  }
  /// By the reference engine, from the model in memory: neither the file nor the native engine has a part in it.
  std::vector<float> expected() const {
    EngineOptions options;
    options.engine = "reference";
    std::vector<float> smoothed;
    const std::int64_t bins = smooth(features_.data(), kBins, small_config().n_input_features,
                                     smoothing_taps(small_config().smoothing), smoothed);
    const EngineInput input{smoothed.data(), bins, kSession};
    return make_engine(model_, options)->decode({&input, 1})[0].values;
  }

  fs::path folder_;
  std::vector<float> features_;
  QuantizedModel model_;
};

TEST_F(CApi, ProgramInCGetsTheReferencesBits) {
  for (const QuantizationOptions& method : all_methods()) {
    if (method.dtype != Dtype::qint8) continue;
    const std::string path = save(method);
    std::vector<float> logits(static_cast<std::size_t>(kBins * small_config().n_classes));
    const std::int64_t steps =
        c_client_stream(path.c_str(), kSessionName, features_.data(), kBins, logits.data(), kBins);
    ASSERT_GT(steps, 0) << bq_last_error();
    logits.resize(static_cast<std::size_t>(steps * small_config().n_classes));
    EXPECT_EQ(logits, expected()) << method.method_name();
  }
}

TEST_F(CApi, PythonGetsTheReferencesBits) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "a library with AddressSanitizer can't be loaded into a Python without it";
#endif
  const std::string path = save(all_methods()[2]);
  std::ofstream(folder_ / "features", std::ios::binary)
      .write(reinterpret_cast<const char*>(features_.data()),
             static_cast<std::streamsize>(features_.size() * sizeof(float)));
  const std::string command = fmt::format("'{}' '{}' '{}' '{}' {} {} '{}' '{}'", BRAINQUANT_PYTHON,
                                          BRAINQUANT_C_CLIENT_PY, BRAINQUANT_C_LIBRARY, path, kSessionName, kBins,
                                          (folder_ / "features").string(), (folder_ / "logits").string());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const std::vector<float> once = expected();
  std::vector<float> twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  std::vector<float> found(twice.size() + 1);
  std::ifstream file(folder_ / "logits", std::ios::binary);
  file.read(reinterpret_cast<char*>(found.data()), static_cast<std::streamsize>(found.size() * sizeof(float)));
  ASSERT_EQ(static_cast<std::size_t>(file.gcount()), twice.size() * sizeof(float));
  found.pop_back();
  EXPECT_EQ(found, twice);
}

TEST_F(CApi, TrialsSideBySide) {
  bq_model* model = opened(save(all_methods()[0]));
  const std::vector<float> all = expected();
  const std::int64_t steps = bq_model_steps(model, kBins, 0);
  ASSERT_EQ(steps * small_config().n_classes, static_cast<std::int64_t>(all.size()));
  std::vector<float> first(all.size()), shorter(all.size(), -1.0F);
  constexpr std::int64_t kShort = kBins - 9;
  std::vector<float> smoothed;
  std::int64_t bins = smooth(features_.data(), kBins, small_config().n_input_features,
                             smoothing_taps(small_config().smoothing), smoothed);
  bq_trial trials[3] = {{features_.data(), kBins, kSession, first.data(), steps, -1},
                        {features_.data(), kShort, kSession, shorter.data(), steps, -1},
                        {features_.data(), 5, kSession, nullptr, 0, -1}};  // too short for a step
  ASSERT_EQ(bq_decode_trials(model, trials, 3, 0), BQ_OK) << bq_last_error();
  EXPECT_EQ(trials[0].steps, steps);
  EXPECT_EQ(trials[1].steps, bq_model_steps(model, kShort, 0));
  EXPECT_LT(trials[1].steps, steps);
  EXPECT_EQ(trials[2].steps, 0);
  EXPECT_EQ(first, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool inside = static_cast<std::int64_t>(i) < trials[1].steps * small_config().n_classes;
    ASSERT_EQ(shorter[i], inside ? all[i] : -1.0F) << i;
  }
  bq_trial already{smoothed.data(), bins, kSession, first.data(), steps, -1};
  std::fill(first.begin(), first.end(), 0.0F);
  ASSERT_EQ(bq_decode_trials(model, &already, 1, 1), BQ_OK) << bq_last_error();
  EXPECT_EQ(first, all);
  bq_model_close(model);
}

TEST_F(CApi, SaysWhatTheModelIs) {
  bq_model_options options = {};
  options.size = sizeof options;
  options.engine = "reference";
  bq_model* model = nullptr;
  ASSERT_EQ(bq_model_open(save(all_methods()[3]).c_str(), &options, &model), BQ_OK) << bq_last_error();
  EXPECT_EQ(bq_abi_version(), BQ_ABI_VERSION);
  EXPECT_EQ(bq_model_features(model), 10);
  EXPECT_EQ(bq_model_classes(model), 41);
  EXPECT_EQ(bq_model_sessions(model), 2);
  EXPECT_STREQ(bq_model_session_name(model, 1), kSessionName);
  EXPECT_EQ(bq_model_session_name(model, 2), nullptr);
  EXPECT_EQ(bq_model_session_index(model, kSessionName), 1);
  EXPECT_EQ(bq_model_session_index(model, "other"), BQ_ERROR_USAGE);
  EXPECT_DOUBLE_EQ(bq_model_step_seconds(model), 0.06);
  EXPECT_EQ(bq_model_bins_before_logits(model), 9 + 4 - 1);
  EXPECT_EQ(bq_model_steps(model, 11, 0), 0);
  EXPECT_EQ(bq_model_steps(model, 12, 0), 1);
  EXPECT_EQ(bq_model_steps(model, 12, 1), 3);
  EXPECT_EQ(bq_model_steps(model, std::numeric_limits<std::int64_t>::min(), 0), BQ_ERROR_ARGUMENT);
  EXPECT_STREQ(bq_model_method(model), "static_per_channel_qint8");
  EXPECT_STREQ(bq_model_engine(model), "reference");
  EXPECT_STREQ(bq_model_instructions(model), "scalar");
  bq_model_close(model);
}

TEST_F(CApi, RefusesWhatIsWrong) {
  const std::string path = save(all_methods()[0]);
  bq_model* model = nullptr;
  const auto status_with = [&](auto change) {
    bq_model_options options = {};
    options.size = sizeof options;
    change(options);
    return bq_model_open(path.c_str(), &options, &model);
  };
  EXPECT_EQ(status_with([](bq_model_options& o) { o.size = 0; }), BQ_ERROR_ARGUMENT);
  EXPECT_EQ(status_with([](bq_model_options& o) { o.size = 1 << 30; }), BQ_ERROR_ARGUMENT);
  EXPECT_EQ(status_with([](bq_model_options& o) { o.engine = "fast"; }), BQ_ERROR_USAGE);
  EXPECT_NE(std::string(bq_last_error()).find("fast"), std::string::npos);
  EXPECT_EQ(status_with([](bq_model_options& o) { o.kernel = "mmx"; }), BQ_ERROR_USAGE);
  EXPECT_EQ(status_with([](bq_model_options& o) { o.threads = -1; }), BQ_ERROR_USAGE);
  EXPECT_EQ(bq_model_open(nullptr, nullptr, &model), BQ_ERROR_ARGUMENT);
  EXPECT_EQ(bq_model_open(path.c_str(), nullptr, nullptr), BQ_ERROR_ARGUMENT);
  EXPECT_EQ(bq_model_open((folder_ / "none").c_str(), nullptr, &model), BQ_ERROR_FILE);
  EXPECT_EQ(bq_model_open(folder_.c_str(), nullptr, &model),
            BRAINQUANT_C_HAS_LIBTORCH ? BQ_ERROR_FILE : BQ_ERROR_USAGE);
  std::ofstream(folder_ / "text") << "not a model";
  EXPECT_EQ(bq_model_open((folder_ / "text").c_str(), nullptr, &model), BQ_ERROR_FORMAT);
  EXPECT_NE(std::string(bq_last_error()).find("text"), std::string::npos);
  EXPECT_EQ(model, nullptr);
  bq_model_close(nullptr);
  EXPECT_EQ(bq_model_features(nullptr), BQ_ERROR_ARGUMENT);
}

bool is_utf8_of_python(const std::string& text) {
  std::string hex;
  for (const char c : text) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return std::system(fmt::format("'{}' -c 'bytes.fromhex(\"{}\").decode()'", BRAINQUANT_PYTHON, hex).c_str()) == 0;
}

TEST_F(CApi, LastErrorIsUtf8WhateverThePathIs) {
  bq_model* model = nullptr;
  for (const std::string name : {"caf\xe9", "\xff\xfe", "\xc3", "\xed\xa0\x80", "caf\xc3\xa9"}) {
    EXPECT_EQ(bq_model_open((folder_ / name).c_str(), nullptr, &model), BQ_ERROR_FILE);
    EXPECT_TRUE(is_utf8_of_python(bq_last_error())) << bq_last_error();
  }
  EXPECT_NE(std::string(bq_last_error()).find("caf\xc3\xa9"), std::string::npos) << bq_last_error();
  EXPECT_EQ(bq_model_open((folder_ / "caf\xe9").c_str(), nullptr, &model), BQ_ERROR_FILE);
  EXPECT_NE(std::string(bq_last_error()).find("caf\xef\xbf\xbd"), std::string::npos) << bq_last_error();
}

// Weights at the largest magnitude, and features that overflow with them: with every engine an error, never logits.
TEST_F(CApi, LogitsThatAreNotFiniteAreAnError) {
  Checkpoint checkpoint = testing::random_checkpoint(small_config());
  checkpoint.weights.day_weights[0].values[3] = 1e30F;
  for (const QuantizationOptions& method : {all_methods()[0], all_methods()[2]}) {
    QuantizedModel quantized = testing::quantized(checkpoint, method);
    if (quantized.activation_scales) quantized.activation_scales->day_input = 1e30F / 127;
    const std::string path = folder_ / "large.pt";
    save_quantized_model(quantized, path);
    std::vector<const char*> engines = {"native", "reference"};
    if (BRAINQUANT_C_HAS_LIBTORCH) engines.push_back("libtorch");
    for (const char* engine : engines) {
      SCOPED_TRACE(method.method_name() + ", " + engine);
      bq_model_options options = {};
      options.size = sizeof options;
      options.engine = engine;
      bq_model* model = nullptr;
      ASSERT_EQ(bq_model_open(path.c_str(), &options, &model), BQ_OK) << bq_last_error();
      std::vector<float> large = features_;
      for (float& value : large) value = value < 0 ? -1e30F : 1e30F;
      std::vector<float> logits(static_cast<std::size_t>(kBins * 41)), others = logits;
      bq_trial trials[2] = {{features_.data(), kBins, 1, others.data(), kBins, 0},
                            {large.data(), kBins, 0, logits.data(), kBins, 0}};
      EXPECT_EQ(bq_decode_trials(model, trials, 2, 0), BQ_ERROR_WORK);
      EXPECT_NE(std::string(bq_last_error()).find("trial 1: step 0, class 0"), std::string::npos) << bq_last_error();
      bq_decoder* decoder = nullptr;
      ASSERT_EQ(bq_decoder_create(model, 0, &decoder), BQ_OK);
      std::int64_t refused = 0;
      for (std::int64_t t = 0; t < kBins; ++t) {
        const int status = bq_decoder_push(decoder, large.data() + t * 10, logits.data());
        ASSERT_NE(status, BQ_LOGITS_READY);
        refused += status == BQ_ERROR_WORK ? 1 : 0;
      }
      EXPECT_EQ(refused, bq_model_steps(model, kBins, 0));
      EXPECT_NE(std::string(bq_last_error()).find("step "), std::string::npos) << bq_last_error();
      EXPECT_EQ(bq_decoder_bins(decoder), kBins);
      ASSERT_EQ(bq_decoder_reset(decoder, 1), BQ_OK);  // the other day layer has no such weight
      std::int64_t given = 0;
      for (std::int64_t t = 0; t < kBins; ++t) {
        given += bq_decoder_push(decoder, features_.data() + t * 10, logits.data()) == BQ_LOGITS_READY ? 1 : 0;
      }
      EXPECT_EQ(given, refused);
      large[25] = 2e30F;
      EXPECT_EQ(bq_decode_trials(model, trials, 2, 0), BQ_ERROR_WORK);
      EXPECT_NE(std::string(bq_last_error()).find("trial 1: bin 2, feature 5: found 2e+30"), std::string::npos);
      bq_decoder_free(decoder);
      bq_model_close(model);
    }
  }
}

TEST_F(CApi, OptionsOfALaterVersion) {
  struct Later {
    bq_model_options now;
    std::int64_t added;
  } later = {};
  later.now.size = sizeof later;
  const std::string path = save(all_methods()[0]);
  bq_model* model = nullptr;
  EXPECT_EQ(bq_model_open(path.c_str(), &later.now, &model), BQ_OK) << bq_last_error();
  bq_model_close(model);
  later.added = 1;
  EXPECT_EQ(bq_model_open(path.c_str(), &later.now, &model), BQ_ERROR_ARGUMENT);
}

TEST_F(CApi, DecoderRefusesWhatIsWrongAndGoesOn) {
  bq_model* model = opened(save(all_methods()[0]));
  bq_decoder* decoder = nullptr;
  EXPECT_EQ(bq_decoder_create(model, 2, &decoder), BQ_ERROR_USAGE);
  ASSERT_EQ(bq_decoder_create(model, 0, &decoder), BQ_OK);
  float logits[41];
  std::vector<float> bad(10, 1.0F);
  bad[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(bq_decoder_push(decoder, bad.data(), logits), BQ_ERROR_WORK);
  EXPECT_NE(std::string(bq_last_error()).find("feature 4"), std::string::npos);
  EXPECT_EQ(bq_decoder_push(decoder, nullptr, logits), BQ_ERROR_ARGUMENT);
  EXPECT_EQ(bq_decoder_bins(decoder), 0);
  EXPECT_EQ(bq_decoder_reset(decoder, kSession), BQ_OK);
  std::vector<float> found;
  for (std::int64_t t = 0; t < kBins; ++t) {
    if (bq_decoder_push(decoder, features_.data() + t * 10, logits) == BQ_LOGITS_READY) {
      found.insert(found.end(), logits, logits + 41);
    }
  }
  EXPECT_EQ(found, expected());
  EXPECT_EQ(bq_decoder_bins(decoder), kBins);
  bq_trial trial{features_.data(), kBins, kSession, found.data(), 1, 0};
  EXPECT_EQ(bq_decode_trials(model, &trial, 1, 0), BQ_ERROR_ARGUMENT);  // too little room
  trial = {features_.data(), kBins, -1, found.data(), kBins, 0};
  EXPECT_EQ(bq_decode_trials(model, &trial, 1, 0), BQ_ERROR_USAGE);
  features_[25] = std::numeric_limits<float>::infinity();
  trial = {features_.data(), kBins, kSession, found.data(), bq_model_steps(model, kBins, 0), 0};
  EXPECT_EQ(bq_decode_trials(model, &trial, 1, 0), BQ_ERROR_WORK);
  EXPECT_NE(std::string(bq_last_error()).find("bin 2, feature 5"), std::string::npos);
  bq_decoder_free(decoder);
  bq_decoder_free(nullptr);
  bq_model_close(model);
}

}  // namespace
}  // namespace brainquant
