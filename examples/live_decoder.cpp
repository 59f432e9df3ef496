// Bins in, words out, in C++: what live_decoder.c does.
//   live_decoder_cpp MODEL.pt SESSION GRAPH < bins

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/runtime/quantized_engine.h"
#include "brainquant/runtime/streaming_decoder.h"

int main(int argc, char** argv) try {
  using namespace brainquant;
  if (argc != 4) {
    std::fprintf(stderr, "usage: live_decoder_cpp MODEL.pt SESSION GRAPH < bins\n");
    return 2;
  }
  const std::shared_ptr<Engine> engine = open_quantized_engine(argv[1], {}).engine;
  StreamingDecoder decoder(engine, std::string(argv[2]));
  WfstStream words = WfstLanguageModel(argv[3], {}).stream(engine->config().n_classes);
  std::vector<float> bin(static_cast<std::size_t>(engine->config().n_input_features));
  std::string said;
  while (std::fread(bin.data(), sizeof(float), bin.size(), stdin) == bin.size()) {
    const auto logits = decoder.push(bin);
    if (!logits.empty()) words.push(logits.data());
    if (words.partial() != said) std::printf("%s\n", (said = words.partial()).c_str());
    decoder.prepare();
  }
  const auto sentences = words.finish();
  if (!sentences.empty()) std::printf("= %s\n", sentences.front().sentence.c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "live_decoder_cpp: %s\n", error.what());
  return 1;
}
