#include "io/stored_zip_writer.h"
#include "io/torch_archive.h"
#include "support/atomic_file.h"

namespace brainquant {

struct TorchArchiveWriter::Impl {
  AtomicFile file;
  StoredZipWriter zip;
  std::int64_t tensors = 0;

  explicit Impl(const std::filesystem::path& path)
      : file(path), zip([this](const void* data, std::size_t bytes) { file.write(data, bytes); }) {}

  void write_record(const std::string& name, const void* data, std::size_t bytes) {
    zip.add("archive/" + name, data, bytes);
  }
  void write_text(const std::string& name, const std::string& text) { write_record(name, text.data(), text.size()); }
};

TorchArchiveWriter::TorchArchiveWriter(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {
  impl_->write_text("byteorder", "little");
}

TorchArchiveWriter::~TorchArchiveWriter() = default;

PickleValue TorchArchiveWriter::add_tensor(TensorType type, const std::vector<std::int64_t>& shape, const void* data) {
  PickleTensor tensor;
  tensor.shape = shape;
  tensor.strides.assign(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) tensor.strides[d - 1] = tensor.strides[d] * shape[d];
  tensor.storage = {type, std::to_string(impl_->tensors++), "cpu", tensor.elements()};
  impl_->write_record("data/" + tensor.storage.key, data,
                      static_cast<std::size_t>(tensor.storage.elements) * bytes_per_element(type));
  return PickleValue::tensor(std::move(tensor));
}

void TorchArchiveWriter::commit(const PickleValue& root) {
  impl_->write_text("data.pkl", write_pickle(root));
  impl_->write_text("version", "3\n");
  impl_->zip.finish();
  impl_->file.commit();
}

}  // namespace brainquant
