// Checkpoints as PyTorch writes them (tests/fixtures/checkpoints.py), compared with the values that Python wrote out
// raw.

#include "model/checkpoint.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "support/atomic_file.h"
#include "support/error_message.h"
#include "support/sha256.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::message_of;

const std::filesystem::path kCases = std::filesystem::path(BRAINQUANT_FIXTURES) / "checkpoints";

class RecordingLog : public Log {
 public:
  void warning(const std::string& message) override { warnings.push_back(message); }
  std::vector<std::string> warnings;
};

/// The model's parameters by PyTorch's names, with their shapes.
struct Named {
  std::vector<std::int64_t> shape;
  const std::vector<float>* values;
};

std::map<std::string, Named> named(const Checkpoint& checkpoint) {
  const DecoderWeights& w = checkpoint.weights;
  std::map<std::string, Named> all;
  const auto add_matrix = [&](const std::string& name, const Matrix& m) { all[name] = {{m.rows, m.cols}, &m.values}; };
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, const std::vector<float>& values) {
    shape.back() = static_cast<std::int64_t>(values.size());
    all[name] = {shape, &values};
  };
  for (std::size_t d = 0; d < w.day_weights.size(); ++d) {
    add_matrix(fmt::format("day_weights.{}", d), w.day_weights[d]);
    add(fmt::format("day_biases.{}", d), {1, 0}, w.day_biases[d]);
  }
  for (std::size_t k = 0; k < w.gru.size(); ++k) {
    add_matrix(fmt::format("gru.weight_ih_l{}", k), w.gru[k].weight_ih);
    add_matrix(fmt::format("gru.weight_hh_l{}", k), w.gru[k].weight_hh);
    add(fmt::format("gru.bias_ih_l{}", k), {0}, w.gru[k].bias_ih);
    add(fmt::format("gru.bias_hh_l{}", k), {0}, w.gru[k].bias_hh);
  }
  add_matrix("out.weight", w.out_weight);
  add("out.bias", {0}, w.out_bias);
  add("h0", {1, 1, 0}, w.h0);
  return all;
}

class GoodCheckpoint : public ::testing::TestWithParam<const char*> {};

TEST_P(GoodCheckpoint, HasTheValuesThatPythonWrote) {
  const std::filesystem::path folder = kCases / GetParam();
  const nlohmann::json expected = nlohmann::json::parse(read_file(folder / "expected.json", 1 << 20));
  const std::string raw = read_file(folder / "expected.bin", 1 << 24);
  const Checkpoint checkpoint = load_checkpoint(folder);
  const std::map<std::string, Named> found = named(checkpoint);

  std::int64_t elements = 0;
  for (const auto& tensor : expected["tensors"]) {
    const std::string name = tensor["name"];
    SCOPED_TRACE(name);
    ASSERT_TRUE(found.contains(name));
    EXPECT_EQ(found.at(name).shape, tensor["shape"].get<std::vector<std::int64_t>>());
    const std::vector<float>& values = *found.at(name).values;
    const std::size_t from = tensor["offset"].get<std::size_t>() * sizeof(float);
    ASSERT_LE(from + values.size() * sizeof(float), raw.size());
    EXPECT_EQ(std::memcmp(values.data(), raw.data() + from, values.size() * sizeof(float)), 0);
    elements += static_cast<std::int64_t>(values.size());
  }
  EXPECT_EQ(found.size(), expected["tensors"].size());
  EXPECT_EQ(checkpoint.config.parameter_count(), elements);

  EXPECT_EQ(checkpoint.config.n_input_features, expected["features"]);
  EXPECT_EQ(checkpoint.config.n_units, expected["units"]);
  EXPECT_EQ(checkpoint.config.n_layers, expected["layers"]);
  EXPECT_EQ(checkpoint.config.n_classes, expected["classes"]);
  EXPECT_EQ(checkpoint.config.patch_size, expected["patch_size"]);
  EXPECT_EQ(checkpoint.config.sessions.size(), expected["sessions"].get<std::size_t>());
  EXPECT_EQ(checkpoint.config.session_index("t15.2023.08.11"), 0);
  EXPECT_EQ(checkpoint.config.session_index("t15.2023.08.10"), -1);
  if (expected["val_per"].is_null()) {
    EXPECT_FALSE(checkpoint.val_per.has_value());
  } else {
    EXPECT_EQ(checkpoint.val_per, expected["val_per"].get<double>());
  }
  EXPECT_EQ(checkpoint.sha256, sha256_of_file(folder / "checkpoint" / "best_checkpoint"));
  EXPECT_EQ(checkpoint.sha256, checkpoint_sha256(folder));
  EXPECT_EQ(checkpoint.args_yaml, read_file(folder / "checkpoint" / "args.yaml", 1 << 20));
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, GoodCheckpoint,
                         ::testing::Values("trained", "prefixes", "gpu", "float16", "bfloat16", "float64", "strides",
                                           "no_checksums", "no_patches", "deep", "tiny", "protocol3", "protocol4",
                                           "protocol5", "odd_objects"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Checkpoint, WarnsOfMissingChecksumsAndOddFigures) {
  RecordingLog log;
  Progress progress;
  CancelToken cancel;
  load_checkpoint(kCases / "trained", RunContext(log, progress, cancel));
  EXPECT_TRUE(log.warnings.empty());
  load_checkpoint(kCases / "no_checksums", RunContext(log, progress, cancel));
  ASSERT_EQ(log.warnings.size(), 1U);
  expect_contains(log.warnings[0], "without checksums");
  load_checkpoint(kCases / "odd_objects", RunContext(log, progress, cancel));
  ASSERT_EQ(log.warnings.size(), 2U);
  expect_contains(log.warnings[1], "val_PER");
}

TEST(Checkpoint, MayBeNamedByEitherFolder) {
  EXPECT_TRUE(is_checkpoint_folder(kCases / "trained"));
  EXPECT_TRUE(is_checkpoint_folder(kCases / "trained" / "checkpoint"));
  EXPECT_FALSE(is_checkpoint_folder(kCases));
  EXPECT_FALSE(is_checkpoint_folder(kCases / "trained" / "checkpoint" / "best_checkpoint"));
  EXPECT_EQ(load_checkpoint(kCases / "trained" / "checkpoint").sha256, load_checkpoint(kCases / "trained").sha256);
}

/// Does something to the checkpoint's files while its tensors are read.
struct Meddler : Progress {
  explicit Meddler(std::function<void()> what) : meddle(std::move(what)) {}
  void update(const std::string& /*stage*/, std::int64_t done, std::int64_t /*total*/) override {
    if (done == 1) meddle();
  }
  std::function<void()> meddle;
};

class MeddledCheckpoint : public ::testing::Test {
 protected:
  MeddledCheckpoint() { std::filesystem::copy(kCases / "tiny" / "checkpoint", folder_ / "checkpoint"); }
  Checkpoint load(const std::function<void()>& meddle) {
    Log log;
    Meddler meddler(meddle);
    const CancelToken cancel;
    return load_checkpoint(folder_.path(), RunContext(log, meddler, cancel));
  }
  std::filesystem::path path(const std::string& name) const { return folder_ / "checkpoint" / name; }
  ScratchFolder folder_;
};

TEST_F(MeddledCheckpoint, HashesAreOfTheFilesThatWereRead) {
  const std::string weights = sha256_of_file(path("best_checkpoint"));
  const std::string args = sha256_of_file(path("args.yaml"));
  const Checkpoint checkpoint = load([&] {
    write_bytes(folder_ / "other", "another checkpoint");
    std::filesystem::rename(folder_ / "other", path("best_checkpoint"));
    write_bytes(path("args.yaml"), "other: true");
  });
  EXPECT_EQ(checkpoint.sha256, weights);
  EXPECT_EQ(checkpoint.args_sha256, args);
}

TEST_F(MeddledCheckpoint, AFileThatIsWrittenToIsRefused) {
  const std::string message = message_of<FileError>(
      [&] { load([&] { std::ofstream(path("best_checkpoint"), std::ios::app | std::ios::binary) << "more"; }); });
  expect_contains(message, "best_checkpoint: was changed while it was read");
}

TEST(Checkpoint, ArgsYamlCanBeReadAlone) {
  const CheckpointArgs args = read_checkpoint_args(kCases / "trained");
  const Checkpoint checkpoint = load_checkpoint(kCases / "trained");
  EXPECT_EQ(args.path, kCases / "trained/checkpoint/args.yaml");
  EXPECT_EQ(args.text, checkpoint.args_yaml);
  EXPECT_EQ(args.sha256, sha256_of_file(args.path));
  EXPECT_EQ(checkpoint.args_sha256, args.sha256);
  EXPECT_EQ(args.config.n_units, checkpoint.config.n_units);
}

TEST(Checkpoint, StopsWhenAsked) {
  Log log;
  Progress progress;
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(load_checkpoint(kCases / "trained", RunContext(log, progress, cancel)), Interrupted);
}

TEST(Checkpoint, NamesWhatIsNotThere) {
  expect_contains(message_of<FileError>([] { load_checkpoint(kCases / "nowhere"); }), "no such folder");
  expect_contains(message_of<FileError>([] { load_checkpoint(kCases); }), "neither checkpoint/best_checkpoint");
  expect_contains(message_of<FileError>([] { load_checkpoint(kCases / "trained/checkpoint/args.yaml"); }),
                  "is not a folder");
}

struct Fault {
  const char* folder;
  const char* where;  // that the message must name
  const char* what;
};

class BadCheckpoint : public ::testing::TestWithParam<Fault> {};

TEST_P(BadCheckpoint, IsRefusedByName) {
  const Fault& fault = GetParam();
  const std::string message = message_of<FormatError>([&] { load_checkpoint(kCases / fault.folder); });
  expect_contains(message, (kCases / fault.folder / "checkpoint/best_checkpoint").string());
  expect_contains(message, fault.where);
  expect_contains(message, fault.what);
}

INSTANTIATE_TEST_SUITE_P(
    Checkpoints, BadCheckpoint,
    ::testing::Values(Fault{"missing", "model_state_dict.gru.bias_hh_l1", "found nothing, expected a tensor [24]"},
                      Fault{"extra", "model_state_dict.gru.weight_ih_l2", "found a float32 tensor [24, 8]"},
                      Fault{"shape", "model_state_dict.day_biases.1", "found a tensor [6], expected [1, 6]"},
                      Fault{"rank", "model_state_dict.h0", "found a tensor [], expected [1, 1, 8]"},
                      Fault{"nan", "model_state_dict.gru.weight_ih_l1", "NaN"},
                      Fault{"infinite", "model_state_dict.out.bias", "infinity"},
                      Fault{"huge", "model_state_dict.out.bias", "a magnitude above 1e+30"},
                      Fault{"overflow", "model_state_dict.out.bias", "infinity"},
                      Fault{"integers", "model_state_dict.out.bias", "int32"},
                      Fault{"collision", "model_state_dict.module.h0", "the same parameter as model_state_dict.h0"},
                      Fault{"no_tensor", "model_state_dict.out.bias", "found a list of 41, expected a tensor"},
                      Fault{"function", "model_state_dict.out.bias", "a reference to __main__.trained"},
                      Fault{"number_key", "model_state_dict", "the int 7"},
                      Fault{"no_state", "model_state_dict", "is missing"},
                      Fault{"list_state", "model_state_dict", "found a list of 2, expected a dict"},
                      Fault{"list_root", "", "found a list of 2, expected a dict"}),
    [](const auto& test) { return std::string(test.param.folder); });

}  // namespace
}  // namespace brainquant
