// The INT8 engines against docs/numerics.md in NumPy (tests/fixtures/int8_decoder.py): the same bits, from files that
// Python wrote.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/scratch_folder.h"
#include "quantization/quantized_file.h"
#include "runtime/int8_engine.h"
#include "runtime/kernels/kernel_table.h"
#ifndef BRAINQUANT_RUNTIME_ONLY
#include "torch/any_engine.h"
#endif

namespace brainquant {
namespace {

struct NumpyTrial {
  std::vector<float> features;
  std::int64_t bins = 0;
  std::int64_t session = 0;
  std::int64_t steps = 0;
  std::vector<float> logits;
};

std::filesystem::path folder() { return std::filesystem::path(BRAINQUANT_FIXTURES) / "int8_decoder"; }

nlohmann::json cases() {
  std::ifstream file(folder() / "cases.json");
  return nlohmann::json::parse(file);
}

std::vector<NumpyTrial> read_trials(const nlohmann::json& description, const DecoderConfig& config) {
  const std::string bytes = bytes_of(folder() / (description.at("name").get<std::string>() + ".bin"));
  std::size_t at = 0;
  const auto take = [&](std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    std::memcpy(values.data(), bytes.data() + at, values.size() * sizeof(float));
    at += values.size() * sizeof(float);
    return values;
  };
  std::vector<NumpyTrial> trials;
  for (const nlohmann::json& trial : description.at("trials")) {
    NumpyTrial one;
    one.bins = trial.at("bins");
    one.session = trial.at("session");
    one.steps = trial.at("steps");
    one.features = take(one.bins * config.n_input_features);
    one.logits = take(one.steps * config.n_classes);
    trials.push_back(std::move(one));
  }
  EXPECT_EQ(at, bytes.size());
  return trials;
}

void expect_numpys_bits(Engine& engine, const std::vector<NumpyTrial>& trials) {
  std::vector<EngineInput> inputs;
  for (const NumpyTrial& trial : trials) inputs.push_back({trial.features.data(), trial.bins, trial.session});
  const std::vector<Logits> found = engine.decode(inputs);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    ASSERT_EQ(found[i].steps, trials[i].steps);
    ASSERT_EQ(found[i].values.size(), trials[i].logits.size());
    for (std::size_t k = 0; k < trials[i].logits.size(); ++k) {
      ASSERT_EQ(found[i].values[k], trials[i].logits[k]) << "trial " << i << ", value " << k;
    }
  }
}

/// FP16 models have no bits to agree on: fp32 sums of numbers of this size differ from double by less than the bound,
/// and do differ.
[[maybe_unused]] void expect_near_double(Engine& engine, const std::vector<NumpyTrial>& trials) {
  float largest = 0;
  for (const NumpyTrial& trial : trials) {
    const EngineInput input{trial.features.data(), trial.bins, trial.session};
    const Logits found = engine.decode({&input, 1}).at(0);
    ASSERT_EQ(found.values.size(), trial.logits.size());
    for (std::size_t k = 0; k < trial.logits.size(); ++k) {
      largest = std::max(largest, std::fabs(found.values[k] - trial.logits[k]));
    }
  }
  EXPECT_LT(largest, 1e-5F);
  EXPECT_GT(largest, 0.0F);
}

TEST(Int8Decoder, EveryEngineGivesNumpysBits) {
  const nlohmann::json all = cases();
  ASSERT_GE(all.size(), 32U);
  int committed = 0;
  for (const nlohmann::json& description : all) {
    const std::string name = description.at("name");
    const bool is_committed = description.contains("file");
    committed += is_committed ? 1 : 0;
    const std::filesystem::path path =
        is_committed ? std::filesystem::path(description.at("file").get<std::string>()) : folder() / (name + ".pt");
    const QuantizedModel model = load_quantized_model(path);
    const std::vector<NumpyTrial> trials = read_trials(description, model.config);
    SCOPED_TRACE(name);
    if (model.options.dtype == Dtype::float16) {
#ifndef BRAINQUANT_RUNTIME_ONLY
      ASSERT_NO_FATAL_FAILURE(expect_near_double(*make_engine(model, {"libtorch", "", 1, -1}), trials));
#endif
      continue;
    }
    ASSERT_NO_FATAL_FAILURE(expect_numpys_bits(*make_int8_engine(model, {"reference", "", 1, -1}), trials));
    for (const Kernel* kernel : supported_kernels()) {
      SCOPED_TRACE(kernel->name);
      ASSERT_NO_FATAL_FAILURE(expect_numpys_bits(*make_int8_engine(model, {"native", kernel->name, 1, -1}), trials));
    }
  }
  EXPECT_GE(committed, 12) << "files of format versions 1 and 2 in tests/fixtures/quantized_file_v1 and v2";
}

}  // namespace
}  // namespace brainquant
