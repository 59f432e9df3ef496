// Python pickles as plain values: a reader that can never run code, and a writer of what torch.load(weights_only=True)
// accepts. The opcodes are those of Python's pickletools; the shape of tensors and storages is that of torch.save.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace brainquant {

/// Element types of tensors in a torch archive.
enum class TensorType { float32, float64, float16, bfloat16, int8, uint8, int16, int32, int64, boolean };
const char* name_of(TensorType type);  // "float32"
std::size_t bytes_per_element(TensorType type);

/// A storage: one record of the archive, `key` "7" is the record data/7.
struct PickleStorage {
  TensorType type = TensorType::float32;
  std::string key;
  std::string location;       // "cpu", "cuda:1"; of no meaning here
  std::int64_t elements = 0;  // as the pickle claims; the record's size must agree
};

/// A tensor: a view of a storage. Offsets and strides count elements. The pickle's claims, not yet compared with the
/// record.
struct PickleTensor {
  PickleStorage storage;
  std::int64_t storage_offset = 0;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;

  /// Product of the shape: 1 for a scalar. The reader has checked that it does not overflow.
  std::int64_t elements() const;
};

/// Something that is there but that this program gives no meaning: a reference to a global that is not on the
/// allow-list
/// ("__main__.schedule"), a NumPy array, an integer of more than 64 bits. Never called, never instantiated.
struct PickleOpaque {
  std::string name{};
  std::string detail{};
  bool is_global = false;
};

/// One value. Copies are cheap: containers and texts are shared and immutable.
class PickleValue {
 public:
  enum class Kind { none, boolean, integer, real, string, bytes, list, tuple, dict, storage, tensor, opaque };
  using Items = std::vector<PickleValue>;
  using Entries = std::vector<std::pair<PickleValue, PickleValue>>;  // in the pickle's order

  PickleValue() = default;  // None
  PickleValue(bool value) : value_(value) {}
  PickleValue(int value) : value_(std::int64_t{value}) {}
  PickleValue(std::int64_t value) : value_(value) {}
  PickleValue(double value) : value_(value) {}
  PickleValue(std::string value);
  PickleValue(std::string_view value) : PickleValue(std::string(value)) {}
  PickleValue(const char* value) : PickleValue(std::string(value)) {}
  static PickleValue bytes(std::string value);
  static PickleValue list(Items items);
  static PickleValue tuple(Items items);
  static PickleValue dict(Entries entries);
  static PickleValue storage(PickleStorage storage);
  static PickleValue tensor(PickleTensor tensor);
  static PickleValue opaque(PickleOpaque opaque);

  Kind kind() const;
  /// What stands here, for messages: "the int 7", "a list of 3", "the string 'abc'", "a reference to posix.system".
  std::string description() const;

  // Null unless the value is of that kind.
  const bool* if_bool() const { return std::get_if<bool>(&value_); }
  const std::int64_t* if_int() const { return std::get_if<std::int64_t>(&value_); }
  const double* if_double() const { return std::get_if<double>(&value_); }
  const std::string* if_string() const;  // UTF-8
  const std::string* if_bytes() const;
  const Items* if_list() const;
  const Items* if_tuple() const;
  const Entries* if_dict() const;
  const PickleStorage* if_storage() const;
  const PickleTensor* if_tensor() const;
  const PickleOpaque* if_opaque() const;

  /// The value of a string key; null if this is no dict or lacks the key.
  const PickleValue* find(std::string_view key) const;

 private:
  friend class PickleMachine;
  struct Text;
  struct Sequence;
  struct Mapping;
  template <class T>
  using Shared = std::shared_ptr<T>;
  std::variant<std::monostate, bool, std::int64_t, double, Shared<Text>, Shared<Sequence>, Shared<Mapping>,
               Shared<const PickleStorage>, Shared<const PickleTensor>, Shared<const PickleOpaque>>
      value_;
};

/// A value and where it stands, so that what is missing or of the wrong kind is named: "FILE: quantization.scheme:
/// found the int 7, expected a string". Refers to the value and does not keep it alive.
class PickleField {
 public:
  PickleField(const PickleValue& value, std::string path, std::string where)
      : value_(&value), path_(std::move(path)), where_(std::move(where)) {}

  const PickleValue& value() const { return *value_; }
  const std::string& path() const { return path_; }
  const std::string& where() const { return where_; }

  bool has(std::string_view key) const { return value_->find(key) != nullptr; }
  // Each throws FormatError if the value is not that.
  PickleField at(std::string_view key) const;  // of a dict
  bool as_bool() const;
  std::int64_t as_int() const;
  std::int64_t as_int(std::int64_t lowest, std::int64_t highest) const;
  double as_double() const;  // finite; an int is taken as a double
  const std::string& as_string() const;
  const PickleTensor& as_tensor() const;
  std::vector<PickleField> items() const;                            // of a list or tuple
  std::vector<std::pair<std::string, PickleField>> entries() const;  // of a dict whose keys are strings

  [[noreturn]] void fail(const std::string& problem) const;

 private:
  const PickleValue* value_;
  std::string path_;
  std::string where_;
};

/// Reads one pickle (protocols 2 to 5). `path` and `where` are for messages. Calling anything outside
/// the allow-list, a damaged pickle, a container that holds itself or lies deeper than 64 levels, a dict with a key
/// twice: FormatError, naming the global and the byte. Memory is bounded by a small multiple of the pickle's size.
PickleValue read_pickle(std::string_view bytes, const std::string& path, const std::string& where);

/// Writes protocol 2. Throws UsageError for what the format can't hold: bytes, opaque values, strings that are not
/// UTF-8.
std::string write_pickle(const PickleValue& root);

}  // namespace brainquant
