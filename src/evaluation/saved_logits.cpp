#include "evaluation/saved_logits.h"

#include "brainquant/io/hdf5_logits.h"
#include "brainquant/support/error.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

void write_all(const Journal& journal, const fs::path& path, const RunContext& context) {
  LogitsFileWriter writer(path);
  for (const auto& [index, trial] : journal.trials()) {
    context.cancel.check();
    const Logits logits = journal.logits(index);
    writer.write(
        {trial.session, trial.name, trial.block, trial.trial, logits.steps, logits.classes, logits.values.data()});
  }
  writer.flush();
}

}  // namespace

void save_logits(const Journal& journal, const fs::path& path, const RunContext& context) {
  // HDF5 writes its files itself, so the temporary one is made by name; one that a killed run left is of no use.
  const fs::path unfinished = path.string() + ".unfinished";
  std::error_code error;
  fs::remove(unfinished, error);
  try {
    write_all(journal, unfinished, context);
    fs::rename(unfinished, path, error);
    if (error) throw FileError(path.string(), "cannot rename the finished file: " + error.message());
  } catch (...) {
    fs::remove(unfinished, error);
    throw;
  }
}

}  // namespace brainquant
