#include "evaluation/saved_logits.h"

#include <fmt/format.h>

#include "evaluation/json_values.h"
#include "io/hdf5_logits.h"
#include "io/npz_writer.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

void write_all(const Journal& journal, const fs::path& path, const RunContext& context) {
  LogitsFileWriter writer(path);
  for (const auto& [index, trial] : journal.trials()) {
    context.cancel.check();
    const Logits logits = journal.logits(index);
    writer.write({{trial}, trial.block, trial.trial_num, logits.steps, logits.classes, logits.values.data()});
  }
  writer.flush();
}

void save_as_hdf5(const Journal& journal, const fs::path& path, const RunContext& context) {
  AtomicFile file(path);
  fs::remove(file.temporary_path());  // LogitsFileWriter would take it for a damaged file of logits
  write_all(journal, file.temporary_path(), context);
  file.commit();
}

void save_as_npz(const Journal& journal, const fs::path& path, const RunContext& context) {
  NpzWriter writer(path);
  nlohmann::ordered_json labels = nlohmann::ordered_json::array();
  for (const auto& [index, trial] : journal.trials()) {
    context.cancel.check();
    const Logits logits = journal.logits(index);
    writer.add(fmt::format("arr_{}", labels.size()), logits.values.data(), logits.steps, logits.classes);
    labels.push_back(trial.label());
  }
  writer.add_text("trials.json", json_text(labels));
  writer.commit();
}

}  // namespace

void save_logits(const Journal& journal, const fs::path& path, const RunContext& context) {
  path.extension() == ".npz" ? save_as_npz(journal, path, context) : save_as_hdf5(journal, path, context);
}

}  // namespace brainquant
