#include "evaluation/saved_logits.h"

#include "io/hdf5_logits.h"
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

}  // namespace

void save_logits(const Journal& journal, const fs::path& path, const RunContext& context) {
  AtomicFile file(path);
  fs::remove(file.temporary_path());  // LogitsFileWriter would take it for a damaged file of logits
  write_all(journal, file.temporary_path(), context);
  file.commit();
}

}  // namespace brainquant
