#include <fmt/format.h>

#include "io/pickle_nodes.h"

namespace brainquant {

const char* name_of(TensorType type) {
  switch (type) {
    case TensorType::float32:
      return "float32";
    case TensorType::float64:
      return "float64";
    case TensorType::float16:
      return "float16";
    case TensorType::bfloat16:
      return "bfloat16";
    case TensorType::int8:
      return "int8";
    case TensorType::uint8:
      return "uint8";
    case TensorType::int16:
      return "int16";
    case TensorType::int32:
      return "int32";
    case TensorType::int64:
      return "int64";
    case TensorType::boolean:
      return "bool";
  }
  return "?";
}

std::size_t bytes_per_element(TensorType type) {
  switch (type) {
    case TensorType::float64:
    case TensorType::int64:
      return 8;
    case TensorType::float32:
    case TensorType::int32:
      return 4;
    case TensorType::float16:
    case TensorType::bfloat16:
    case TensorType::int16:
      return 2;
    case TensorType::int8:
    case TensorType::uint8:
    case TensorType::boolean:
      return 1;
  }
  return 1;
}

std::int64_t PickleTensor::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

PickleValue::PickleValue(std::string value) : value_(std::make_shared<Text>(Text{std::move(value), false})) {}

PickleValue PickleValue::bytes(std::string value) {
  PickleValue result;
  result.value_ = std::make_shared<Text>(Text{std::move(value), true});
  return result;
}

PickleValue PickleValue::list(Items items) {
  PickleValue result;
  result.value_ = std::make_shared<Sequence>(Sequence{std::move(items), false});
  return result;
}

PickleValue PickleValue::tuple(Items items) {
  PickleValue result;
  result.value_ = std::make_shared<Sequence>(Sequence{std::move(items), true});
  return result;
}

PickleValue PickleValue::dict(Entries entries) {
  PickleValue result;
  result.value_ = std::make_shared<Mapping>(Mapping{std::move(entries)});
  return result;
}

PickleValue PickleValue::storage(PickleStorage storage) {
  PickleValue result;
  result.value_ = std::make_shared<const PickleStorage>(std::move(storage));
  return result;
}

PickleValue PickleValue::tensor(PickleTensor tensor) {
  PickleValue result;
  result.value_ = std::make_shared<const PickleTensor>(std::move(tensor));
  return result;
}

PickleValue PickleValue::opaque(PickleOpaque opaque) {
  PickleValue result;
  result.value_ = std::make_shared<const PickleOpaque>(std::move(opaque));
  return result;
}

PickleValue::Kind PickleValue::kind() const {
  if (if_bool()) return Kind::boolean;
  if (if_int()) return Kind::integer;
  if (if_double()) return Kind::real;
  if (if_string()) return Kind::string;
  if (if_bytes()) return Kind::bytes;
  if (if_list()) return Kind::list;
  if (if_tuple()) return Kind::tuple;
  if (if_dict()) return Kind::dict;
  if (if_storage()) return Kind::storage;
  if (if_tensor()) return Kind::tensor;
  if (if_opaque()) return Kind::opaque;
  return Kind::none;
}

std::string PickleValue::description() const {
  constexpr std::size_t kLongest = 60;
  switch (kind()) {
    case Kind::none:
      return "None";
    case Kind::boolean:
      return *if_bool() ? "True" : "False";
    case Kind::integer:
      return fmt::format("the int {}", *if_int());
    case Kind::real:
      return fmt::format("the float {}", *if_double());
    case Kind::string:
      return if_string()->size() <= kLongest ? fmt::format("the string '{}'", *if_string())
                                             : fmt::format("a string of {} bytes", if_string()->size());
    case Kind::bytes:
      return fmt::format("{} bytes", if_bytes()->size());
    case Kind::list:
      return fmt::format("a list of {}", if_list()->size());
    case Kind::tuple:
      return fmt::format("a tuple of {}", if_tuple()->size());
    case Kind::dict:
      return fmt::format("a dict of {}", if_dict()->size());
    case Kind::storage:
      return "a storage without a tensor";
    case Kind::tensor:
      return fmt::format("a {} tensor [{}]", name_of(if_tensor()->storage.type), fmt::join(if_tensor()->shape, ", "));
    case Kind::opaque:
      return if_opaque()->is_global ? "a reference to " + if_opaque()->name : "an object of type " + if_opaque()->name;
  }
  return "?";
}

const std::string* PickleValue::if_string() const {
  const auto* text = std::get_if<Shared<Text>>(&value_);
  return text && !(*text)->is_bytes ? &(*text)->text : nullptr;
}

const std::string* PickleValue::if_bytes() const {
  const auto* text = std::get_if<Shared<Text>>(&value_);
  return text && (*text)->is_bytes ? &(*text)->text : nullptr;
}

const PickleValue::Items* PickleValue::if_list() const {
  const auto* sequence = std::get_if<Shared<Sequence>>(&value_);
  return sequence && !(*sequence)->is_tuple ? &(*sequence)->items : nullptr;
}

const PickleValue::Items* PickleValue::if_tuple() const {
  const auto* sequence = std::get_if<Shared<Sequence>>(&value_);
  return sequence && (*sequence)->is_tuple ? &(*sequence)->items : nullptr;
}

const PickleValue::Entries* PickleValue::if_dict() const {
  const auto* mapping = std::get_if<Shared<Mapping>>(&value_);
  return mapping ? &(*mapping)->entries : nullptr;
}

const PickleStorage* PickleValue::if_storage() const {
  const auto* storage = std::get_if<Shared<const PickleStorage>>(&value_);
  return storage ? storage->get() : nullptr;
}

const PickleTensor* PickleValue::if_tensor() const {
  const auto* tensor = std::get_if<Shared<const PickleTensor>>(&value_);
  return tensor ? tensor->get() : nullptr;
}

const PickleOpaque* PickleValue::if_opaque() const {
  const auto* opaque = std::get_if<Shared<const PickleOpaque>>(&value_);
  return opaque ? opaque->get() : nullptr;
}

const PickleValue* PickleValue::find(std::string_view key) const {
  if (const Entries* entries = if_dict()) {
    for (const auto& [name, value] : *entries) {
      const std::string* text = name.if_string();
      if (text && *text == key) return &value;
    }
  }
  return nullptr;
}

}  // namespace brainquant
