#include "evaluation/decoding_key.h"

#include <gtest/gtest.h>

#include <functional>

#include "quantization/quantize_key.h"

namespace brainquant {
namespace {

DecodingSettings settings() {
  DecodingSettings result;
  result.engine.gpu_number = -1;
  result.engine.threads = 2;
  result.resolved = {"native", "avx2"};
  result.data_fingerprint = "aa";
  return result;
}

// Whatever decides logits, trials or times is a field of the key, and a change of it is named.
TEST(DecodingKey, EachSettingIsAField) {
  const std::vector<std::pair<std::string, std::function<void(DecodingSettings&)>>> changes = {
      {"eval_type", [](auto& s) { s.data.split = Split::test; }},
      {"sessions", [](auto& s) { s.data.sessions = {"t15.2023.08.11"}; }},
      {"max_trials", [](auto& s) { s.data.max_trials = 5; }},
      {"data_fingerprint", [](auto& s) { s.data_fingerprint = "bb"; }},
      {"engine", [](auto& s) { s.resolved.engine = "reference"; }},
      {"instructions", [](auto& s) { s.resolved.instructions = "portable"; }},
      {"gpu_number", [](auto& s) { s.engine.gpu_number = 0; }},
      {"threads", [](auto& s) { s.engine.threads = 1; }},
      {"batch_size", [](auto& s) { s.batch_size = 4; }},
      {"step_latency", [](auto& s) { s.step_latency = 20; }},
  };
  const RunKey key = decoding_key(settings());
  for (const auto& [field, change] : changes) {
    DecodingSettings changed = settings();
    change(changed);
    const std::optional<std::string> difference = decoding_key(changed).difference(key);
    ASSERT_TRUE(difference.has_value()) << field;
    EXPECT_EQ(difference->rfind(field + " was ", 0), 0U) << *difference;
  }
  DecodingSettings streaming = settings();
  streaming.streaming = true;  // takes one trial at a time too
  EXPECT_EQ(decoding_key(streaming).value("streaming"), "true");
  EXPECT_EQ(decoding_key(streaming).value("batch_size"), "1");
  EXPECT_FALSE(decoding_key(settings()).difference(key).has_value());
}

TEST(DecodingKey, EachOptionOfAModelIsAField) {
  QuantizationOptions base;
  base.quantization_type = QuantizationType::static_per_tensor;
  const RunKey key = model_key("aa", "bb", base);
  const std::vector<std::pair<std::string, std::function<void(QuantizationOptions&)>>> changes = {
      {"quantization_type", [](auto& q) { q.quantization_type = QuantizationType::static_per_channel; }},
      {"observer", [](auto& q) { q.observer = ObserverKind::histogram; }},
      {"day_layers", [](auto& q) { q.day_layers = DayLayers::keep_float; }},
      {"calibration_samples", [](auto& q) { q.calibration_samples = 5; }},
  };
  for (const auto& [field, change] : changes) {
    QuantizationOptions changed = base;
    change(changed);
    const std::optional<std::string> difference = model_key("aa", "bb", changed).difference(key);
    ASSERT_TRUE(difference.has_value()) << field;
    EXPECT_EQ(difference->rfind(field + " was ", 0), 0U) << *difference;
  }
  QuantizationOptions dynamic;
  QuantizationOptions half = dynamic;
  half.dtype = Dtype::float16;
  EXPECT_EQ(model_key("aa", "bb", half).difference(model_key("aa", "bb", dynamic)), "dtype was qint8, is float16");
  QuantizationOptions by_channel = dynamic;
  by_channel.weight_granularity = Granularity::per_channel;
  EXPECT_EQ(model_key("aa", "bb", by_channel).difference(model_key("aa", "bb", dynamic)),
            "weight_granularity was per_tensor, is per_channel");
  EXPECT_EQ(model_key("cc", "bb", base).difference(key), "checkpoint_sha256 was aa, is cc");
  EXPECT_EQ(model_key("aa", "cc", base).difference(key), "args_sha256 was bb, is cc");
  // A default that is spelled out is the default.
  QuantizationOptions spelled_out = base;
  spelled_out.observer = ObserverKind::minmax;
  EXPECT_FALSE(model_key("aa", "bb", spelled_out).difference(key).has_value());
}

TEST(DecodingKey, ToolAndMachineAreFields) {
  const RunKey key = tool_key();
  for (const std::string field : {"tool_version", "libtorch_version", "cpu"}) EXPECT_NE(key.value(field), "") << field;
}

}  // namespace
}  // namespace brainquant
