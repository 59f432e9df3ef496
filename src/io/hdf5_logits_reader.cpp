#include <fmt/format.h>
#include <fmt/ranges.h>

#include "brainquant/support/error.h"
#include "io/hdf5.h"
#include "io/hdf5_logits.h"

namespace brainquant {

namespace {
constexpr std::size_t kMostValues = std::size_t{1} << 28;  // of one trial: 1 GiB
}

struct LogitsFileReader::Impl {
  explicit Impl(std::filesystem::path path) : file(std::move(path)) {}

  Hdf5File file;
  std::vector<std::string> labels;
};

LogitsFileReader::LogitsFileReader(std::filesystem::path path) : impl_(std::make_unique<Impl>(std::move(path))) {
  const std::string name = impl_->file.path().string();
  if (impl_->file.group("/").integer_attribute("complete") != 1) {
    throw FormatError(name, "", "its writer did not finish it");
  }
  for (const std::string& session : impl_->file.names()) {
    for (const std::string& trial : impl_->file.group(session).names()) {
      impl_->labels.push_back(TrialId{session, trial}.label());
    }
  }
}

LogitsFileReader::~LogitsFileReader() = default;

const std::vector<std::string>& LogitsFileReader::labels() const { return impl_->labels; }

StoredLogits LogitsFileReader::read(const std::string& label) {
  const std::string path = impl_->file.path().string();
  const std::size_t slash = label.find('/');
  if (slash == std::string::npos) throw FormatError(path, label, "not the label of a trial, SESSION/TRIAL");
  const Hdf5Group session = impl_->file.group(label.substr(0, slash));
  const std::string trial = label.substr(slash + 1);
  const std::vector<std::int64_t> shape = session.shape(trial);
  if (shape.size() != 2) {
    throw FormatError(path, label, fmt::format("shape [{}]", fmt::join(shape, ", ")), "[steps, classes]");
  }
  return {shape[0], shape[1], session.floats(trial, kMostValues)};
}

}  // namespace brainquant
