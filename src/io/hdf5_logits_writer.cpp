#include <fmt/format.h>
#include <unistd.h>

#include "brainquant/io/hdf5_logits.h"
#include "io/hdf5_call.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr const char* kComplete = "complete";

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

}  // namespace

struct LogitsFileWriter::Impl {
  fs::path path;
  H5::H5File file;
  bool complete = true;

  bool has(const std::string& session, const std::string& name) const {
    return file.nameExists(session) && file.nameExists(session + "/" + name);
  }

  void mark(bool now_complete) {
    const std::int64_t value = now_complete ? 1 : 0;
    file.openAttribute(kComplete).write(H5::PredType::NATIVE_INT64, &value);
    file.flush(H5F_SCOPE_LOCAL);
    complete = now_complete;
  }

  void write(const LogitsEntry& entry) {
    if (complete) mark(false);
    const H5::Group session =
        file.nameExists(entry.session) ? file.openGroup(entry.session) : file.createGroup(entry.session);
    if (session.nameExists(entry.name)) session.unlink(entry.name);
    const hsize_t sizes[2] = {static_cast<hsize_t>(entry.steps), static_cast<hsize_t>(entry.classes)};
    const H5::DataSet data = session.createDataSet(entry.name, H5::PredType::IEEE_F32LE, H5::DataSpace(2, sizes));
    if (entry.steps > 0) data.write(entry.values, H5::PredType::NATIVE_FLOAT);
    add_string(data, "session", entry.session);
    add_integer(data, "block_num", entry.block);
    add_integer(data, "trial_num", entry.trial);
  }

  void flush() {
    if (complete) return;
    file.flush(H5F_SCOPE_LOCAL);
    void* descriptor = nullptr;
    file.getVFDHandle(&descriptor);
    if (::fdatasync(*static_cast<int*>(descriptor)) != 0) throw H5::Exception("fdatasync", "the disk refuses it");
    mark(true);
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
        impl_->file.openAttribute(kComplete).read(H5::PredType::NATIVE_INT64, &complete);
      }
      if (complete != 1) throw FormatError(name, "", "not a complete file of logits");
    });
  } else {
    impl_ = writing(path, "a new file", [&] {
      auto created = std::make_unique<Impl>(Impl{path, H5::H5File(name, H5F_ACC_EXCL)});
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

bool LogitsFileWriter::has(const std::string& session, const std::string& name) const {
  return hdf5::call(impl_->path.string(), session + "/" + name, [&] { return impl_->has(session, name); });
}

void LogitsFileWriter::write(const LogitsEntry& entry) {
  writing(impl_->path, entry.session + "/" + entry.name, [&] { impl_->write(entry); });
}

void LogitsFileWriter::flush() {
  writing(impl_->path, "what was added", [&] { impl_->flush(); });
}

}  // namespace brainquant
