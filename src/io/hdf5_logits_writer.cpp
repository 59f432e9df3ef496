#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "io/hdf5_call.h"
#include "io/hdf5_logits.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr const char* kComplete = "complete";
constexpr hsize_t kSpareBytes = 256 << 10;  // more than the structure that one trial adds

// A write that fails inside libhdf5 leaves it in a state in which the process crashes at its end. So the disk's space
// is claimed beforehand, where a refusal does no harm.
void claim_space(int descriptor, hsize_t bytes, const fs::path& path) {
  const int problem = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  if (problem != 0) throw FileError(path.string(), fmt::format("cannot write: {}", std::strerror(problem)));
}

// Makes an empty file, and sees that there is room for it to grow.
void create_empty(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) throw FileError(path.string(), fmt::format("cannot create: {}", std::strerror(errno)));
  try {
    claim_space(fd, kSpareBytes, path);
  } catch (...) {
    ::close(fd);
    ::unlink(path.c_str());
    throw;
  }
  ::close(fd);
}

// As hdf5::call, for what the system may refuse.
template <class F>
auto writing(const fs::path& path, const std::string& what, F&& f) {
  const hdf5::Lock lock;
  hdf5::forget_refusal();
  try {
    return f();
  } catch (const H5::Exception& exception) {
    throw FileError(path.string(), fmt::format("cannot write {}: {}", what, hdf5::refusal(exception)));
  }
}

template <class Object>
void add_integer(const Object& object, const char* name, std::int64_t value) {
  object.createAttribute(name, H5::PredType::STD_I64LE, H5::DataSpace(H5S_SCALAR))
      .write(H5::PredType::NATIVE_INT64, &value);
}

void add_string(const H5::DataSet& object, const char* name, const std::string& value) {
  H5::StrType type(H5::PredType::C_S1, H5T_VARIABLE);  // which h5py reads as str
  type.setCset(H5T_CSET_UTF8);
  object.createAttribute(name, type, H5::DataSpace(H5S_SCALAR)).write(type, value);
}

// The same logits give the same bytes: by default libhdf5 writes down when a data set was made.
H5::DSetCreatPropList without_times() {
  H5::DSetCreatPropList properties;
  H5Pset_obj_track_times(properties.getId(), false);
  return properties;
}

}  // namespace

struct LogitsFileWriter::Impl {
  fs::path path;
  H5::H5File file;
  bool complete = true;

  bool has(const TrialId& trial) const { return file.nameExists(trial.session) && file.nameExists(trial.label()); }

  int descriptor() const {
    void* handle = nullptr;
    file.getVFDHandle(&handle);
    return *static_cast<int*>(handle);
  }

  void mark(bool now_complete) {
    const std::int64_t value = now_complete ? 1 : 0;
    file.openAttribute(kComplete).write(H5::PredType::NATIVE_INT64, &value);
    file.flush(H5F_SCOPE_LOCAL);
    complete = now_complete;
  }

  void write(const LogitsEntry& entry) {
    const auto bytes = static_cast<hsize_t>(entry.steps * entry.classes) * sizeof(float);
    claim_space(descriptor(), file.getFileSize() + bytes + kSpareBytes, path);
    if (complete) mark(false);
    const H5::Group session =
        file.nameExists(entry.session) ? file.openGroup(entry.session) : file.createGroup(entry.session);
    if (session.nameExists(entry.name)) session.unlink(entry.name);
    const hsize_t sizes[2] = {static_cast<hsize_t>(entry.steps), static_cast<hsize_t>(entry.classes)};
    const H5::DataSet data =
        session.createDataSet(entry.name, H5::PredType::IEEE_F32LE, H5::DataSpace(2, sizes), without_times());
    if (entry.steps > 0) data.write(entry.values, H5::PredType::NATIVE_FLOAT);
    add_string(data, "session", entry.session);
    add_integer(data, "block_num", entry.block);
    add_integer(data, "trial_num", entry.trial_num);
  }

  void flush() {
    if (complete) return;
    file.flush(H5F_SCOPE_LOCAL);
    if (::fdatasync(descriptor()) != 0) throw H5::Exception("fdatasync", "the disk refuses it");
    mark(true);
    // Gives back what was claimed and not needed.
    if (::ftruncate(descriptor(), static_cast<off_t>(file.getFileSize())) != 0) {
      throw H5::Exception("ftruncate", "the system refuses to cut the file to its length");
    }
  }
};

LogitsFileWriter::LogitsFileWriter(fs::path path) {
  std::error_code error;
  const std::string name = path.string();
  if (fs::exists(path, error)) {
    hdf5::require_regular_file(path);
    impl_ = hdf5::call(name, "", [&] { return std::make_unique<Impl>(Impl{path, H5::H5File(name, H5F_ACC_RDWR)}); });
    hdf5::call(name, kComplete, [&] {
      std::int64_t complete = 0;
      if (impl_->file.attrExists(kComplete)) {
        const H5::Attribute attribute = impl_->file.openAttribute(kComplete);
        if (attribute.getSpace().getSimpleExtentNpoints() == 1 && hdf5::is_sound_number(attribute.getDataType())) {
          attribute.read(H5::PredType::NATIVE_INT64, &complete);
        }
      }
      if (complete != 1) throw FormatError(name, "", "not a complete file of logits");
    });
  } else {
    create_empty(path);
    impl_ = writing(path, "a new file", [&] {
      auto created = std::make_unique<Impl>(Impl{path, H5::H5File(name, H5F_ACC_TRUNC)});
      claim_space(created->descriptor(), kSpareBytes, path);
      add_integer(created->file, kComplete, 1);
      created->file.flush(H5F_SCOPE_LOCAL);
      return created;
    });
  }
}

LogitsFileWriter::~LogitsFileWriter() {
  try {
    flush();
  } catch (const Error&) {
    // Marked as incomplete, the file is refused by whoever opens it next.
  }
  hdf5::destroy(impl_);
}

bool LogitsFileWriter::has(const TrialId& trial) const {
  return hdf5::call(impl_->path.string(), trial.label(), [&] { return impl_->has(trial); });
}

void LogitsFileWriter::write(const LogitsEntry& entry) {
  writing(impl_->path, entry.label(), [&] { impl_->write(entry); });
}

void LogitsFileWriter::flush() {
  writing(impl_->path, "what was added", [&] { impl_->flush(); });
}

}  // namespace brainquant
