// Files opened straight into an engine, each matrix by itself on all threads, against files loaded as a whole.

#include "brainquant/runtime/quantized_engine.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "quantization/quantized_file.h"
#include "runtime/int8_engine.h"
#include "support/error_message.h"
#include "support/small_decoder.h"

namespace brainquant {
namespace {

using namespace testing;

constexpr Shape kShape{20, 33, 3, 17, 4, 5, 3};

EngineOptions with_threads(int threads) {
  EngineOptions options;
  options.threads = threads;
  return options;
}

TEST(QuantizedEngine, GivesTheBitsOfTheReferenceOnTheModelInMemory) {
  const ScratchFolder folder;
  std::vector<QuantizationOptions> ways = int8_ways();
  for (const QuantizationOptions& way : int4_ways()) ways.push_back(way);
  for (const QuantizationOptions& way : ways) {
    SCOPED_TRACE(text_of(way));
    const QuantizedModel model = random_model(kShape, way, 3);
    save_quantized_model(model, folder / "q.pt");
    const Trials trials = random_trials(model.config, {90, 40}, 4);
    EngineOptions reference;
    reference.engine = "reference";
    const std::vector<Logits> expected = make_int8_engine(model, reference)->decode(trials.inputs);
    for (const int threads : {1, 2, 3}) {
      const QuantizedEngine opened = open_quantized_engine(folder / "q.pt", with_threads(threads));
      EXPECT_EQ(opened.method, way.method_name());
      EXPECT_EQ(opened.engine->name(), "native");
      const std::vector<Logits> found = opened.engine->decode(trials.inputs);
      for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(found[i].values, expected[i].values) << i;
    }
  }
}

// One bit of each of some bytes: an engine is opened where the file can be loaded, and only there.
TEST(QuantizedEngine, RefusesWhatLoadingRefuses) {
  const ScratchFolder folder;
  save_quantized_model(random_model(kShape, all_methods()[3], 5), folder / "whole.pt");
  std::ifstream file(folder / "whole.pt", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  int refused = 0;
  for (std::size_t at = 3; at < whole.size(); at += 211) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    std::ofstream(folder / "damaged.pt", std::ios::binary) << damaged;
    const auto error_of = [](const auto& open) -> std::optional<std::string> {
      try {
        open();
        return std::nullopt;
      } catch (const Error& error) {
        return error.what();
      }
    };
    const auto loading = error_of([&] { load_quantized_model(folder / "damaged.pt"); });
    EXPECT_EQ(error_of([&] { open_quantized_engine(folder / "damaged.pt", with_threads(2)); }), loading) << at;
    refused += loading ? 1 : 0;
  }
  EXPECT_GT(refused, 50);
}

TEST(QuantizedEngine, RefusesOtherWeightsAndEnginesByName) {
  const ScratchFolder folder;
  save_quantized_model(random_model(kShape, all_methods()[1], 5), folder / "half.pt");
  expect_contains(message_of<UsageError>([&] { open_quantized_engine(folder / "half.pt", {}); }), "float16");
  save_quantized_model(random_model(kShape, all_methods()[0], 5), folder / "q.pt");
  EngineOptions libtorch;
  libtorch.engine = "libtorch";
  expect_contains(message_of<UsageError>([&] { open_quantized_engine(folder / "q.pt", libtorch); }), "libtorch");
  EXPECT_THROW(open_quantized_engine(folder / "none.pt", {}), FileError);
}

}  // namespace
}  // namespace brainquant
