#include "evaluation/decoding_key.h"

#include "brainquant/git_commit.h"
#include "brainquant/version.h"
#include "evaluation/machine.h"
#include "support/sha256.h"

namespace brainquant {

RunKey tool_key() {
  const MachineFacts machine = machine_facts();
  RunKey key;
  key.set("tool_version", kVersion);
  if (*git_commit() != '\0') key.set("git_commit", git_commit());
  key.set("libtorch_version", machine.libtorch_version);
  key.set("cpu", machine.cpu);
  return key;
}

RunKey decoding_key(const DecodingSettings& settings) {
  DatasetOptions data = settings.data;
  RunKey key;
  for (const auto& [name, value] : list_selection_options(data).values_that_decide(Decides::decoding)) {
    key.set(name, text_of(value));
  }
  key.set("data_fingerprint", settings.data_fingerprint);
  key.set("engine", settings.resolved.engine);
  key.set("instructions", settings.resolved.instructions);
  key.set("gpu_number", std::to_string(settings.engine.gpu_number));
  key.set("threads", std::to_string(settings.engine.effective_threads()));
  key.set("batch_size", std::to_string(settings.streaming ? 1 : settings.batch_size));
  key.set("streaming", settings.streaming ? "true" : "false");
  key.set("step_latency", std::to_string(settings.step_latency));
  return key;
}

RunKey words_key(const std::string& language_model_fingerprint) {
  RunKey key;
  key.set(kLanguageModelField, language_model_fingerprint);
  return key;
}

std::string data_fingerprint(const Dataset& dataset) {
  const std::string fingerprint = dataset.fingerprint();
  return sha256_of_bytes(fingerprint.data(), fingerprint.size());
}

}  // namespace brainquant
