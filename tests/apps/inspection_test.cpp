// What quantize_model says of files that are there already, and of files that are something else.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "apps/program.h"
#include "apps/study.h"

namespace brainquant::testing {
namespace {

namespace fs = std::filesystem;
using Flags = std::vector<std::string>;

const fs::path kModel = study_folder() / "model";

fs::path quantized(const ScratchFolder& scratch, const Flags& method) {
  const fs::path output = scratch / "q" / "quantized_model.pt";
  const ProgramResult run = run_program(
      "quantize_model",
      Flags{"--model_path", kModel.string(), "--output_path", output.string(), "--force"} + data_flags() + method,
      scratch.path());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return output;
}

void check(const fs::path& file, const ScratchFolder& scratch) {
  fs::create_directories(scratch / "damaged");
  // Beside a checkpoint lies what describes it.
  if (fs::exists(file.parent_path() / "args.yaml")) {
    fs::copy_file(file.parent_path() / "args.yaml", scratch / "damaged/args.yaml",
                  fs::copy_options::overwrite_existing);
  }
  const std::string command = fmt::format("'{}' '{}' '{}/quantize_model' '{}' '{}' >'{}' 2>&1", BRAINQUANT_PYTHON,
                                          BRAINQUANT_CHECKS "/check_inspection.py", BRAINQUANT_BIN, file.string(),
                                          (scratch / "damaged").string(), (scratch / "said.txt").string());
  EXPECT_EQ(std::system(command.c_str()), 0) << bytes_of(scratch / "said.txt");
}

TEST(Inspection, IsPythonsAndVerifyingFindsEveryDamagedRecord) {
  const ScratchFolder scratch;
  check(quantized(scratch, {"--quantization_type", "static"}), scratch);
  check(quantized(scratch, {"--dtype", "qint4", "--weight_rounding", "nearest"}), scratch);
  check(quantized(scratch, {"--dtype", "float16"}), scratch);
  check(kModel / "checkpoint" / "best_checkpoint", scratch);
}

TEST(Inspection, NeedsNoOtherOptionAndTakesNone) {
  const ScratchFolder scratch;
  const auto run = [&](const Flags& flags) { return run_program("quantize_model", flags, scratch.path()); };
  EXPECT_EQ(run({"--inspect", kModel.string()}).exit_code, 0);
  EXPECT_EQ(run({"--verify", kModel.string()}).exit_code, 0);
  const auto refused = [&](const Flags& flags, const std::string& message) {
    const ProgramResult result = run(flags);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_EQ(result.errors(), (std::vector<std::string>{"error: " + message}));
  };
  refused({"--inspect", "x", "--model_path", "y"}, "--model_path cannot be given with --inspect");
  refused({"--verify", "x", "--force"}, "--force cannot be given with --verify");
  refused({"--verify", "x", "--inspect", "y"}, "--inspect and --verify cannot be given together");
  refused({"--verify", "x", "--json"}, "--json needs --inspect");
  refused({"--output_path", "x"}, "--model_path is required");
  const ProgramResult no_model = run({"--inspect", study_folder().string()});
  EXPECT_EQ(no_model.exit_code, 1);
  EXPECT_NE(no_model.err.find("holds neither checkpoint/best_checkpoint"), std::string::npos) << no_model.err;
}

TEST(Files, OfTheWrongKindAreNamed) {
  const ScratchFolder scratch;
  const fs::path file = quantized(scratch, {});
  const auto says = [&](const std::string& program, const Flags& flags, const std::string& message) {
    const ProgramResult result = run_program(program, flags, scratch.path());
    EXPECT_EQ(result.exit_code, 1) << result.err;
    ASSERT_EQ(result.errors().size(), 1U) << result.err;
    EXPECT_NE(result.errors()[0].find(message), std::string::npos) << result.errors()[0];
  };
  const auto quantizing = [&](const fs::path& path, const std::string& message) {
    says("quantize_model", Flags{"--model_path", path.string(), "--output_path", (scratch / "new.pt").string()},
         message);
  };
  const auto evaluating = [&](const fs::path& path, const std::string& message) {
    says("evaluate_quantized_model", Flags{"--model_path", path.string(), "--skip_lm"} + data_flags(), message);
  };
  quantizing(file, "is a quantized file; evaluate_quantized_model takes it");
  quantizing(kModel / "checkpoint" / "best_checkpoint", "is a checkpoint's weights; the folder that holds them");
  evaluating(kModel / "checkpoint" / "best_checkpoint", "a checkpoint's weights, no quantized model");
  fs::path recordings;
  for (const auto& entry : fs::recursive_directory_iterator(study_folder() / "data")) {
    if (entry.path().extension() == ".hdf5") recordings = entry.path();
  }
  evaluating(recordings, "is an HDF5 file");

  // Decoders that are no GRU, saved by PyTorch.
  for (const auto& [code, message] : {std::pair("4 * 24", "has 4 gates as an LSTM: only GRU decoders"),
                                      std::pair("24", "has 1 gates as a plain RNN: only GRU decoders")}) {
    const fs::path other = scratch / "other";
    fs::remove_all(other);
    fs::copy(kModel, other, fs::copy_options::recursive);
    const std::string script = fmt::format(
        "import torch; path = '{}'; root = torch.load(path, weights_only=False); state = root['model_state_dict']\n"
        "key = next(k for k in state if k.endswith('gru.weight_hh_l0')); units = state[key].shape[1]\n"
        "state[key] = torch.zeros(({}) // 24 * units, units); torch.save(root, path)\n",
        (other / "checkpoint/best_checkpoint").string(), code);
    std::ofstream(scratch / "other.py") << script;
    ASSERT_EQ(std::system(fmt::format("'{}' '{}'", BRAINQUANT_PYTHON, (scratch / "other.py").string()).c_str()), 0);
    quantizing(other, message);
  }
}

}  // namespace
}  // namespace brainquant::testing
