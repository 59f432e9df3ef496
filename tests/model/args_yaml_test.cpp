// args.yaml: what it must hold, and what it must not do to the reader.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "brainquant/support/error.h"
#include "model/checkpoint.h"
#include "support/error_message.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::message_of;

const std::string kArgs = R"(model:
  n_input_features: 512
  n_units: 768
  n_layers: 5
  patch_size: 14
  patch_stride: 4
use_amp: true
dataset:
  data_transforms:
    smooth_kernel_size: 100
    smooth_data: true
    smooth_kernel_std: 2
  n_classes: 41
  sessions:
  - t15.2023.08.11
  - t15.2023.08.13
)";

std::string with(const std::string& from, const std::string& to) {
  std::string text = kArgs;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string fault_of(const std::string& text) {
  return message_of<FormatError>([&] { parse_args_yaml(text, "args.yaml"); });
}

TEST(ArgsYaml, GivesTheConfiguration) {
  const DecoderConfig config = parse_args_yaml(kArgs, "args.yaml");
  EXPECT_EQ(config.n_input_features, 512);
  EXPECT_EQ(config.n_units, 768);
  EXPECT_EQ(config.n_layers, 5);
  EXPECT_EQ(config.n_classes, 41);
  EXPECT_EQ(config.patch_size, 14);
  EXPECT_EQ(config.patch_stride, 4);
  EXPECT_EQ(config.sessions, (std::vector<std::string>{"t15.2023.08.11", "t15.2023.08.13"}));
  EXPECT_TRUE(config.smoothing.smooth_data);
  EXPECT_EQ(config.smoothing.smooth_kernel_std, 2.0);
  EXPECT_EQ(config.smoothing.smooth_kernel_size, 100);
}

// The published decoder has 44.3 M parameters with 45 sessions: day layers 11.8 M, GRU 32.5 M, out 31.5 k.
TEST(ArgsYaml, CountsParameters) {
  DecoderConfig config = parse_args_yaml(kArgs, "args.yaml");
  config.sessions.resize(45);
  const std::int64_t day_layers = 45 * (512 * 512 + 512);
  const std::int64_t gru = 3 * 768 * (7168 + 768 + 2) + 4 * 3 * 768 * (768 + 768 + 2);
  EXPECT_EQ(config.parameter_count(), day_layers + gru + 768 * 41 + 41 + 768);
}

TEST(ArgsYaml, CountsSteps) {
  DecoderConfig config = parse_args_yaml(kArgs, "args.yaml");
  EXPECT_EQ(config.step_input_size(), 7168);
  EXPECT_EQ(config.steps_of(13), 0);
  EXPECT_EQ(config.steps_of(14), 1);
  EXPECT_EQ(config.steps_of(17), 1);
  EXPECT_EQ(config.steps_of(18), 2);
  config = parse_args_yaml(with("patch_size: 14", "patch_size: 0"), "args.yaml");
  EXPECT_EQ(config.step_input_size(), 512);
  EXPECT_EQ(config.steps_of(0), 0);
  EXPECT_EQ(config.steps_of(13), 13);
}

TEST(ArgsYaml, NamesAMissingKey) {
  for (const std::string key : {"n_input_features", "n_units", "n_layers", "patch_size", "patch_stride"}) {
    EXPECT_EQ(fault_of(with("  " + key, "  x_" + key)), fmt::format("args.yaml: model.{}: is missing", key));
  }
  for (const std::string key : {"n_classes", "sessions", "data_transforms"}) {
    EXPECT_EQ(fault_of(with("  " + key, "  x_" + key)), fmt::format("args.yaml: dataset.{}: is missing", key));
  }
  for (const std::string key : {"smooth_data", "smooth_kernel_size", "smooth_kernel_std"}) {
    EXPECT_EQ(fault_of(with(key, "x_" + key)), fmt::format("args.yaml: dataset.data_transforms.{}: is missing", key));
  }
  EXPECT_EQ(fault_of(with("model", "modell")), "args.yaml: model: is missing");
  EXPECT_EQ(fault_of(with("dataset:\n  data", "  dataset:\n    data").substr(0, 100)),
            "args.yaml: dataset: is missing");
  expect_contains(fault_of(""), "expected keys and values");
  expect_contains(fault_of("- a\n- b\n"), "a list of 2");
  expect_contains(fault_of("model: 7\ndataset: 8\n"), "line 1: model: found '7', expected keys and values");
}

TEST(ArgsYaml, NamesAValueThatMakesNoSense) {
  EXPECT_EQ(fault_of(with("n_units: 768", "n_units: 0")),
            "args.yaml: line 3: model.n_units: found '0', expected an integer from 1 to 16384");
  for (const std::string value :
       {"-1", "16385", "1e3", "768.5", "abc", "99999999999999999999", "null", "", "[768]", "{a: 1}", ".inf", "0x10"}) {
    expect_contains(fault_of(with("n_units: 768", "n_units: " + value)), "model.n_units: found");
  }
  for (const std::string value : {"0", "-2", ".nan", ".inf", "1e300", "two", "[2]"}) {
    expect_contains(fault_of(with("kernel_std: 2", "kernel_std: " + value)), "smooth_kernel_std: found");
  }
  expect_contains(fault_of(with("smooth_data: true", "smooth_data: maybe")), "found 'maybe', expected true or false");
  expect_contains(fault_of(with("n_layers: 5", "n_layers: 65")), "from 1 to 64");
  expect_contains(fault_of(with("patch_stride: 4", "patch_stride: 0")), "patch_stride");
  expect_contains(fault_of(with("n_units: 768", "n_units: 768\n  n_units: 512")), "model.n_units: is there twice");
  expect_contains(fault_of(with("n_units: 768", "n_units: 16384").replace(kArgs.find("512"), 3, "16384")),
                  "parameters");
}

TEST(ArgsYaml, SmoothingMustLeaveATap) {
  std::string args = with("kernel_std: 2", "kernel_std: 200");
  args.replace(args.find("kernel_size: 100"), 16, "kernel_size: 500");
  EXPECT_EQ(fault_of(args),
            "args.yaml: dataset.data_transforms: smooth_kernel_std 200 and smooth_kernel_size 500 leave no tap above "
            "0.01");
}

TEST(ArgsYaml, TakesOnlyDistinctFolderNamesAsSessions) {
  const auto with_session = [](const std::string& name) { return with("- t15.2023.08.13", "- " + name); };
  EXPECT_EQ(fault_of(with_session("t15.2023.08.11")),
            "args.yaml: line 16: dataset.sessions[1]: found 't15.2023.08.11', expected each session once");
  for (const std::string name : {"../secret", "/etc", "..", ".", "''", "\"a\\0b\"", "[a]", "{a: b}"}) {
    expect_contains(fault_of(with_session(name)), "line 16: dataset.sessions[1]");
  }
  expect_contains(fault_of(with("  - t15.2023.08.11\n  - t15.2023.08.13\n", "  []\n")), "at least one name");
}

TEST(ArgsYaml, NamesTheLineOfAMistakeInTheYaml) {
  expect_contains(fault_of(with("n_units: 768", "n_units: [768")), "args.yaml: line ");
  expect_contains(fault_of("a: *nothing\n"), "args.yaml: line 1");
  expect_contains(fault_of(kArgs + std::string(2 << 20, '#')), "bytes");
}

TEST(ArgsYaml, SurvivesHostileText) {
  fault_of(std::string(1'000'000, '['));
  fault_of(std::string(500'000, '{') + "a");
  fault_of("a: " + std::string(1'000'000, '!'));
  std::string dashes;
  for (int i = 0; i < 300'000; ++i) dashes += "- ";
  fault_of(dashes);
  std::string laughs = "l0: &l0 [a, a, a, a, a, a, a, a, a]\n";
  for (int i = 1; i < 40; ++i)
    laughs += fmt::format("l{0}: &l{0} [*l{1}, *l{1}, *l{1}, *l{1}, *l{1}, *l{1}]\n", i, i - 1);
  EXPECT_EQ(parse_args_yaml(laughs + kArgs, "args.yaml").n_units, 768);
  expect_contains(fault_of(laughs + with("sessions:\n", "sessions: *l39\n  x:\n")), "dataset.sessions[0]");

  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string text = kArgs;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      constexpr std::string_view kMarks =
          "{}[]&*!|>'\"%@`:-?#, \n\t\0\xff"
          "0";
      text[random() % text.size()] = kMarks[random() % kMarks.size()];
    }
    try {
      parse_args_yaml(text, "args.yaml");
    } catch (const FormatError&) {
    }
  }
}

}  // namespace
}  // namespace brainquant
