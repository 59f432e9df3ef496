// Protocol 2 without a memo: each value is written out where it stands, so the same root always gives the same bytes.

#include <fmt/format.h>

#include <bit>
#include <limits>

#include "brainquant/support/error.h"
#include "io/pickle.h"
#include "support/utf8.h"

namespace brainquant {

namespace {

const char* storage_class_of(TensorType type) {
  switch (type) {
    case TensorType::float32:
      return "FloatStorage";
    case TensorType::float64:
      return "DoubleStorage";
    case TensorType::float16:
      return "HalfStorage";
    case TensorType::bfloat16:
      return "BFloat16Storage";
    case TensorType::int8:
      return "CharStorage";
    case TensorType::uint8:
      return "ByteStorage";
    case TensorType::int16:
      return "ShortStorage";
    case TensorType::int32:
      return "IntStorage";
    case TensorType::int64:
      return "LongStorage";
    case TensorType::boolean:
      return "BoolStorage";
  }
  return "?";
}

class PickleWriter {
 public:
  std::string finish(const PickleValue& root) {
    out_ = "\x80\x02";
    write(root);
    out_ += '.';
    return std::move(out_);
  }

 private:
  void little_endian(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out_ += static_cast<char>(value >> (8 * i) & 0xff);
  }

  void integer(std::int64_t value) {
    if (value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max()) {
      out_ += 'J';
      little_endian(static_cast<std::uint64_t>(value), 4);
    } else {
      out_ += "\x8a\x08";
      little_endian(static_cast<std::uint64_t>(value), 8);
    }
  }

  void real(double value) {
    out_ += 'G';
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int i = 7; i >= 0; --i) out_ += static_cast<char>(bits >> (8 * i) & 0xff);
  }

  void string(std::string_view text) {
    if (!is_utf8(text)) throw UsageError("a text that is not UTF-8 can't be written into a torch archive");
    if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
      throw UsageError("a text of more than 4 GiB can't be written into a torch archive");
    }
    out_ += 'X';
    little_endian(text.size(), 4);
    out_ += text;
  }

  void global(const char* module, const char* name) { out_ += fmt::format("c{}\n{}\n", module, name); }

  void tuple(const std::vector<std::int64_t>& numbers) {
    out_ += '(';
    for (const std::int64_t number : numbers) integer(number);
    out_ += 't';
  }

  void tensor(const PickleTensor& value) {
    global("torch._utils", "_rebuild_tensor_v2");
    out_ += "((";
    string("storage");
    global("torch", storage_class_of(value.storage.type));
    string(value.storage.key);
    string(value.storage.location);
    integer(value.storage.elements);
    out_ += "tQ";
    integer(value.storage_offset);
    tuple(value.shape);
    tuple(value.strides);
    out_ += "\x89";                        // requires_grad: False
    global("collections", "OrderedDict");  // backward hooks: none
    out_ += ")RtR";
  }

  void items(const PickleValue::Items& values) {
    for (const PickleValue& value : values) write(value);
  }

  void write(const PickleValue& value) {
    switch (value.kind()) {
      case PickleValue::Kind::none:
        out_ += 'N';
        break;
      case PickleValue::Kind::boolean:
        out_ += *value.if_bool() ? '\x88' : '\x89';
        break;
      case PickleValue::Kind::integer:
        integer(*value.if_int());
        break;
      case PickleValue::Kind::real:
        real(*value.if_double());
        break;
      case PickleValue::Kind::string:
        string(*value.if_string());
        break;
      case PickleValue::Kind::list:
        out_ += "](";
        items(*value.if_list());
        out_ += 'e';
        break;
      case PickleValue::Kind::tuple:
        out_ += '(';
        items(*value.if_tuple());
        out_ += 't';
        break;
      case PickleValue::Kind::dict:
        out_ += "}(";
        for (const auto& [key, entry] : *value.if_dict()) {
          write(key);
          write(entry);
        }
        out_ += 'u';
        break;
      case PickleValue::Kind::tensor:
        tensor(*value.if_tensor());
        break;
      case PickleValue::Kind::bytes:
      case PickleValue::Kind::storage:
      case PickleValue::Kind::opaque:
        throw UsageError(fmt::format("{} can't be written into a torch archive", value.description()));
    }
  }

  std::string out_;
};

}  // namespace

std::string write_pickle(const PickleValue& root) { return PickleWriter().finish(root); }

}  // namespace brainquant
