// The small library: what it depends on, what it refuses, and the example that runs on it.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "brainquant/c_api.h"
#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/runtime/streaming_decoder.h"
#include "io/scratch_folder.h"
#include "language_model/wfst_case.h"
#include "quantization/quantized_file.h"
#include "runtime/int8_engine.h"
#include "runtime/random_checkpoint.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

struct Output {
  int status;
  std::string text;
};

Output run(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string text;
  char buffer[4096];
  for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  const int status = ::pclose(pipe);
  return {status, text};
}

TEST(RuntimeLibrary, DependsOnNothingLargeAndNamesNoPathOfThisMachine) {
  // Without the addresses that ldd adds: they are random, and their digits may spell a library's name.
  const Output depends = run(fmt::format("ldd '{}' | sed 's/ (0x[0-9a-f]*)$//'", BRAINQUANT_C_LIBRARY));
  ASSERT_EQ(depends.status, 0) << depends.text;
  EXPECT_NE(depends.text.find("libc.so"), std::string::npos) << depends.text;
  EXPECT_EQ(depends.text.find("(0x"), std::string::npos) << depends.text;
  for (const char* large : {"torch", "c10", "hdf5", "hiredis", "yaml"}) {
    EXPECT_EQ(depends.text.find(large), std::string::npos) << large << " in\n" << depends.text;
  }
  const Output header = run(fmt::format("readelf -d '{}'", BRAINQUANT_C_LIBRARY));
  ASSERT_EQ(header.status, 0) << header.text;
  EXPECT_NE(header.text.find("(NEEDED)"), std::string::npos) << header.text;
  EXPECT_EQ(header.text.find("RPATH"), std::string::npos) << header.text;
  EXPECT_EQ(header.text.find("RUNPATH"), std::string::npos) << header.text;
}

TEST(RuntimeLibrary, WhatItCannotRunItRefusesAndNamesTheOneThatCan) {
  const ScratchFolder folder;
  DecoderConfig config;
  config.n_input_features = 6;
  config.n_units = 8;
  config.sessions = {"t15.2023.08.11"};
  const Checkpoint checkpoint = testing::random_checkpoint(config);
  bq_model* model = nullptr;
  save_quantized_model(testing::quantized(checkpoint, all_methods()[1]), folder / "half.pt");
  EXPECT_EQ(bq_model_open((folder / "half.pt").c_str(), nullptr, &model), BQ_ERROR_USAGE);
  EXPECT_NE(std::string(bq_last_error()).find("half.pt: float16 weights; libbrainquant_c_torch"), std::string::npos)
      << bq_last_error();
  EXPECT_EQ(bq_model_open(folder.path().c_str(), nullptr, &model), BQ_ERROR_USAGE);
  EXPECT_NE(std::string(bq_last_error()).find("libbrainquant_c_torch opens checkpoints"), std::string::npos)
      << bq_last_error();
  save_quantized_model(testing::quantized(checkpoint, all_methods()[0]), folder / "q.pt");
  bq_model_options options = {};
  options.size = sizeof options;
  options.engine = "libtorch";
  EXPECT_EQ(bq_model_open((folder / "q.pt").c_str(), &options, &model), BQ_ERROR_USAGE);
  EXPECT_NE(std::string(bq_last_error()).find("libbrainquant_c_torch"), std::string::npos) << bq_last_error();
}

TEST(LiveDecoder, ItsWordsAreTheLibrarys) {
  const ScratchFolder folder;
  DecoderConfig config;
  config.n_input_features = 12;
  config.n_units = 20;
  config.n_layers = 2;
  config.patch_size = 4;
  config.patch_stride = 2;
  config.sessions = {"t15.2023.08.11", "t15.2023.08.13"};
  const QuantizedModel model = testing::quantized(testing::random_checkpoint(config), all_methods()[0]);
  save_quantized_model(model, folder / "q.pt");
  std::mt19937 random(7);
  const std::vector<float> bins = testing::normal_values(300 * config.n_input_features, 2.0F, random);
  std::ofstream(folder / "bins", std::ios::binary)
      .write(reinterpret_cast<const char*>(bins.data()), static_cast<std::streamsize>(bins.size() * sizeof(float)));

  const fs::path graph = test::WfstCase("case5").folder;
  EngineOptions reference;
  reference.engine = "reference";
  StreamingDecoder decoder(make_int8_engine(model, reference), 1);
  WfstStream words = WfstLanguageModel(graph, {}).stream(config.n_classes);
  std::string expected, said;
  for (std::size_t at = 0; at < bins.size(); at += static_cast<std::size_t>(config.n_input_features)) {
    const auto logits = decoder.push({bins.data() + at, static_cast<std::size_t>(config.n_input_features)});
    if (!logits.empty()) words.push(logits.data());
    if (words.partial() == said) continue;
    said = words.partial();
    expected += said + "\n";
  }
  const auto sentences = words.finish();
  if (!sentences.empty()) expected += "= " + sentences.front().sentence + "\n";
  ASSERT_FALSE(expected.empty());

  const std::string program = BRAINQUANT_LIVE_DECODER;
  const Output output = run(fmt::format("'{}' '{}' t15.2023.08.13 '{}' < '{}'", program, (folder / "q.pt").string(),
                                        graph.string(), (folder / "bins").string()));
  EXPECT_EQ(output.status, 0);
  EXPECT_EQ(output.text, expected);

  const Output fit = run(fmt::format("'{}' --selftest '{}' 1", program, (folder / "q.pt").string()));
  for (const char* part : {"checksums hold", "a step's work", "last bin to its logits", "within 40 ms"}) {
    EXPECT_NE(fit.text.find(part), std::string::npos) << fit.text;
  }
  fs::resize_file(folder / "q.pt", fs::file_size(folder / "q.pt") - 10);
  EXPECT_NE(run(fmt::format("'{}' --selftest '{}'", program, (folder / "q.pt").string())).status, 0);
  EXPECT_NE(run(fmt::format("'{}'", program)).status, 0);
}

}  // namespace
}  // namespace brainquant
