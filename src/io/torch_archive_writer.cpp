#include <fmt/format.h>

#include "brainquant/io/torch_archive.h"
#include "brainquant/support/atomic_file.h"
#include "brainquant/support/error.h"
#include "io/torch_stream.h"

namespace brainquant {

struct TorchArchiveWriter::Impl {
  AtomicFile file;
  TorchStreamWriter stream;
  std::int64_t tensors = 0;

  explicit Impl(const std::filesystem::path& path)
      : file(path), stream(path.string(), [this](const void* data, std::size_t bytes) { file.write(data, bytes); }) {}

  void write_text(const std::string& name, const std::string& text) {
    stream.write_record(name, text.data(), text.size());
  }
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
  impl_->stream.write_record("data/" + tensor.storage.key, data,
                             static_cast<std::size_t>(tensor.storage.elements) * bytes_per_element(type));
  return PickleValue::tensor(std::move(tensor));
}

void TorchArchiveWriter::commit(const PickleValue& root) {
  impl_->write_text("data.pkl", write_pickle(root));
  impl_->stream.finish();
  impl_->file.commit();
}

}  // namespace brainquant
