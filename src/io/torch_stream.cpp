#include "io/torch_stream.h"

#include <caffe2/serialize/inline_container.h>
#include <caffe2/serialize/read_adapter_interface.h>

#include <exception>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

// The first line of LibTorch's message; what follows is a stack trace.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

template <class Function>
auto translated(const std::string& path, const std::string& where, Function&& function) {
  try {
    return function();
  } catch (const c10::Error& error) {
    throw FormatError(path, where, first_line(error.what_without_backtrace()));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw FormatError(path, where, first_line(error.what()));
  }
}

class CallbackAdapter : public caffe2::serialize::ReadAdapterInterface {
 public:
  CallbackAdapter(std::uint64_t size, TorchStreamDirectory::ReadAt read_at)
      : size_(size), read_at_(std::move(read_at)) {}
  size_t size() const override { return size_; }
  size_t read(uint64_t position, void* to, size_t count, const char* /*what*/) const override {
    // miniz is C code: nothing may be thrown through it. A short count makes it report an error.
    try {
      return read_at_(position, to, count);
    } catch (...) {
      return 0;
    }
  }

 private:
  std::uint64_t size_;
  TorchStreamDirectory::ReadAt read_at_;
};

}  // namespace

struct TorchStreamDirectory::Impl {
  std::string path;
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader;
};

TorchStreamDirectory::TorchStreamDirectory(const std::string& path, std::uint64_t file_size, ReadAt read_at)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->reader = translated(path, "", [&] {
    return std::make_unique<caffe2::serialize::PyTorchStreamReader>(
        std::make_shared<CallbackAdapter>(file_size, std::move(read_at)));
  });
}

TorchStreamDirectory::~TorchStreamDirectory() = default;

bool TorchStreamDirectory::has(const std::string& record) const {
  return translated(impl_->path, record, [&] { return impl_->reader->hasRecord(record); });
}

std::uint64_t TorchStreamDirectory::offset_of(const std::string& record) const {
  return translated(impl_->path, record, [&] { return impl_->reader->getRecordOffset(record); });
}

struct TorchStreamWriter::Impl {
  std::string path;
  Write write;
  std::exception_ptr failure;
  std::unique_ptr<caffe2::serialize::PyTorchStreamWriter> writer;

  // PyTorchStreamWriter calls this through C code, and finishes the archive in its destructor, where an error would end
  // the process. So an error is kept here and every later write claims to have succeeded.
  std::size_t accept(const void* data, std::size_t bytes) noexcept {
    if (!failure) {
      try {
        write(data, bytes);
      } catch (...) {
        failure = std::current_exception();
      }
    }
    return bytes;
  }

  template <class Function>
  void run(const std::string& where, Function&& function) {
    translated(path, where, function);
    if (failure) std::rethrow_exception(failure);
  }
};

TorchStreamWriter::TorchStreamWriter(const std::string& path, Write write) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->write = std::move(write);
  impl_->run("", [this] {
    impl_->writer = std::make_unique<caffe2::serialize::PyTorchStreamWriter>(
        [impl = impl_.get()](const void* data, std::size_t bytes) { return impl->accept(data, bytes); });
  });
}

TorchStreamWriter::~TorchStreamWriter() {
  if (!impl_->failure)
    impl_->failure = std::make_exception_ptr(WorkError("abandoned"));  // nothing more is to be written
}

void TorchStreamWriter::write_record(const std::string& name, const void* data, std::size_t bytes) {
  impl_->run(name, [&] { impl_->writer->writeRecord(name, data, bytes); });
}

void TorchStreamWriter::finish() {
  impl_->run("", [this] { impl_->writer->writeEndOfFile(); });
}

}  // namespace brainquant
