// How soon words follow a step's logits when trials are decoded live:
//   live_words MODEL.pt DATA CSV GRAPH [TRIALS [THREADS]]     TRIALS of the val split (60)

#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <vector>

#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/runtime/quantized_engine.h"
#include "brainquant/runtime/streaming_decoder.h"
#include "model/dataset.h"
#include "scoring/quantile.h"
#include "support/seconds_since.h"

namespace {

using namespace brainquant;

struct Times {
  std::vector<double> logits;  // a step's last bin to its logits
  std::vector<double> words;   // its logits to the words so far
  std::vector<double> finish;  // the last logits to the trial's sentence
};

void decode(const Trial& trial, const std::shared_ptr<Engine>& engine, const WfstLanguageModel& language_model,
            Times& times) {
  const auto features = static_cast<std::size_t>(engine->config().n_input_features);
  StreamingDecoder decoder(engine, trial.session_index);
  WfstStream words = language_model.stream(engine->config().n_classes);
  for (std::size_t at = 0; at < trial.features.size(); at += features) {
    const SteadyClock::time_point pushed = SteadyClock::now();
    const auto logits = decoder.push({trial.features.data() + at, features});
    if (!logits.empty()) {
      times.logits.push_back(seconds_since(pushed));
      const SteadyClock::time_point there = SteadyClock::now();
      words.push(logits.data());
      words.partial();
      times.words.push_back(seconds_since(there));
    }
    decoder.prepare();
  }
  const SteadyClock::time_point last = SteadyClock::now();
  words.finish();
  times.finish.push_back(seconds_since(last));
}

void print(const char* what, const std::vector<double>& seconds) {
  fmt::print("{:<28} p50 {:7.3f}  p99 {:7.3f}  max {:7.3f} ms ({})\n", what, 1e3 * quantile(seconds, 0.5),
             1e3 * quantile(seconds, 0.99), 1e3 * quantile(seconds, 1), seconds.size());
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) {
    fmt::print(stderr, "usage: live_words MODEL.pt DATA CSV GRAPH [TRIALS [THREADS]]\n");
    return 2;
  }
  EngineOptions options;
  options.threads = argc > 6 ? std::atoi(argv[6]) : 1;
  const std::shared_ptr<Engine> engine = open_quantized_engine(argv[1], options).engine;
  const WfstLanguageModel language_model(argv[4], {});
  DatasetOptions data;
  data.data_dir = argv[2];
  data.csv_path = argv[3];
  data.max_trials = argc > 5 ? std::atoi(argv[5]) : 60;
  Dataset dataset(engine->config(), data);
  Times times;
  for (std::size_t i = 0; i < dataset.size(); ++i) decode(dataset.read(i), engine, language_model, times);
  print("last bin to logits", times.logits);
  print("logits to words so far", times.words);
  print("last logits to the sentence", times.finish);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "live_words: {}\n", error.what());
  return 1;
}
