// A case that tests/fixtures/decoding_graphs.py wrote.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "brainquant/language_model/wfst_graph.h"
#include "brainquant/language_model/wfst_options.h"
#include "brainquant/language_model/wfst_stream.h"

namespace brainquant::test {

struct WfstCase {
  struct Expected {
    std::string decoder;
    double graph = 0;
    double acoustic = 0;  // scaled
    std::string sentence;
  };

  explicit WfstCase(const std::string& name) : folder(std::filesystem::path(BRAINQUANT_FIXTURES) / "wfst" / name) {
    std::ifstream file(folder / "logits.f32", std::ios::binary);
    const auto bytes = std::filesystem::file_size(folder / "logits.f32");
    logits.resize(bytes / sizeof(float));
    file.read(reinterpret_cast<char*>(logits.data()), static_cast<std::streamsize>(bytes));
    steps = static_cast<std::int64_t>(logits.size()) / kGraphClasses;

    std::map<std::string, float> values;
    std::ifstream option_file(folder / "options.txt");
    for (std::string option; option_file >> option;) option_file >> values[option];
    options.acoustic_scale = values.at("acoustic_scale");
    options.blank_penalty = values.at("blank_penalty");
    options.ctc_blank_skip_threshold = values.at("ctc_blank_skip_threshold");

    std::ifstream expected_file(folder / "expected.txt");
    for (std::string line; std::getline(expected_file, line);) {
      std::istringstream fields(line);
      Expected entry;
      fields >> entry.decoder >> entry.graph >> entry.acoustic;
      std::getline(fields >> std::ws, entry.sentence);
      expected.push_back(entry);
    }
  }

  /// Beams so wide that nothing is given up.
  WfstOptions wide() const {
    WfstOptions wide = options;
    wide.beam = 1000.0F;
    wide.max_active = 1000000;
    return wide;
  }

  std::filesystem::path folder;
  std::vector<float> logits;
  std::int64_t steps = 0;
  WfstOptions options;
  std::vector<Expected> expected;
};

/// The sentences of logits ([steps, 41]) pushed step by step.
inline std::vector<SentenceCandidate> decode_all(const std::shared_ptr<const WfstGraph>& graph,
                                                 const WfstOptions& options, const std::vector<float>& logits) {
  WfstStream stream(graph, options);
  for (std::size_t at = 0; at < logits.size(); at += kGraphClasses) stream.push(logits.data() + at);
  return stream.finish();
}

}  // namespace brainquant::test
