#include "io/pickle_globals.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "io/half_float.h"
#include "support/utf8.h"

namespace brainquant {

namespace {

using Items = PickleValue::Items;
using Entries = PickleValue::Entries;

constexpr std::size_t kMaxDimensions = 32;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;

// Classes whose objects stand in optimizer or scheduler states and in settings; this program needs none of them.
constexpr std::array<std::string_view, 12> kInertClasses = {
    "builtins.set",   "builtins.frozenset", "builtins.complex",  "builtins.range",
    "builtins.slice", "builtins.bytearray", "collections.deque", "pathlib.PosixPath",
    "pathlib.Path",   "torch.device",       "torch.Generator",   "numpy.core.multiarray._reconstruct"};

void spend(std::size_t& budget, std::size_t amount) {
  if (amount > budget) throw PickleProblem{"its calls copy far more than the pickle holds"};
  budget -= amount;
}

[[noreturn]] void bad_arguments(const std::string& global) {
  throw PickleProblem{fmt::format("{} is called with arguments that don't fit it", global)};
}

const Items* if_sequence(const PickleValue& value) { return value.if_list() ? value.if_list() : value.if_tuple(); }

std::vector<std::int64_t> sizes_of(const PickleValue& value, const std::string& global) {
  const Items* items = if_sequence(value);
  if (!items || items->size() > kMaxDimensions) bad_arguments(global);
  std::vector<std::int64_t> sizes;
  for (const PickleValue& item : *items) {
    const std::int64_t* size = item.if_int();
    if (!size || *size < 0) bad_arguments(global);
    sizes.push_back(*size);
  }
  return sizes;
}

PickleValue rebuild_tensor(const std::string& global, const Items& arguments) {
  if (arguments.size() < 4) bad_arguments(global);
  const PickleStorage* storage = arguments[0].if_storage();
  const std::int64_t* offset = arguments[1].if_int();
  if (!storage || !offset || *offset < 0) bad_arguments(global);
  PickleTensor tensor{*storage, *offset, sizes_of(arguments[2], global), sizes_of(arguments[3], global)};
  if (tensor.shape.size() != tensor.strides.size()) bad_arguments(global);
  // The product is bounded as if no size were 0, so that no order of multiplying can overflow.
  std::int64_t product = 1;
  for (const std::int64_t size : tensor.shape) {
    const std::int64_t factor = std::max<std::int64_t>(size, 1);
    if (factor > kMaxElements / product) throw PickleProblem{"a tensor's shape is too large"};
    product *= factor;
  }
  return PickleValue::tensor(std::move(tensor));
}

PickleValue dict_of(const std::string& global, const Items& arguments, std::size_t& budget) {
  if (arguments.empty()) return PickleValue::dict({});
  if (arguments.size() != 1) bad_arguments(global);
  if (const Entries* entries = arguments[0].if_dict()) {
    spend(budget, entries->size() * sizeof(Entries::value_type));
    return PickleValue::dict(*entries);
  }
  const Items* pairs = if_sequence(arguments[0]);
  if (!pairs) bad_arguments(global);
  spend(budget, pairs->size() * sizeof(Entries::value_type));
  Entries entries;
  for (const PickleValue& pair : *pairs) {
    const Items* two = if_sequence(pair);
    if (!two || two->size() != 2) bad_arguments(global);
    entries.emplace_back((*two)[0], (*two)[1]);
  }
  return PickleValue::dict(std::move(entries));
}

// Protocol 2 has no bytes: it stores them as text whose code points are the bytes.
PickleValue encode_latin1(const std::string& global, const Items& arguments, std::size_t& budget) {
  if (arguments.size() != 2 || !arguments[0].if_string() || !arguments[1].if_string()) bad_arguments(global);
  if (*arguments[1].if_string() != "latin1") bad_arguments(global);
  std::string_view text = *arguments[0].if_string();
  spend(budget, text.size());
  std::string bytes;
  while (!text.empty()) {
    const std::optional<char32_t> point = take_code_point(text);
    if (!point || *point > 0xff) bad_arguments(global);
    bytes += static_cast<char>(*point);
  }
  return PickleValue::bytes(std::move(bytes));
}

PickleValue numpy_dtype(const std::string& global, const Items& arguments) {
  if (arguments.empty() || !arguments[0].if_string() || arguments[0].if_string()->size() > 16) bad_arguments(global);
  return PickleValue::opaque({.name = "numpy.dtype", .detail = *arguments[0].if_string()});
}

template <class T>
T number_from(const std::string& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// `detail` is a NumPy type code, after BUILD with its byte order: "<f8".
PickleValue numpy_scalar(const std::string& global, const Items& arguments) {
  if (arguments.size() != 2) bad_arguments(global);
  const PickleOpaque* dtype = arguments[0].if_opaque();
  const std::string* stored = arguments[1].if_bytes();
  if (!dtype || dtype->name != "numpy.dtype" || !stored) bad_arguments(global);
  std::string code = dtype->detail;
  std::string bytes = *stored;
  if (!code.empty() && std::strchr("<>=|", code.front())) {
    if (code.front() == '>') std::reverse(bytes.begin(), bytes.end());
    code.erase(0, 1);
  }
  if (code.size() != 2 || static_cast<std::size_t>(code[1] - '0') != bytes.size()) bad_arguments(global);
  if (code == "f8") return PickleValue(number_from<double>(bytes));
  if (code == "f4") return PickleValue(static_cast<double>(number_from<float>(bytes)));
  if (code == "f2") return PickleValue(static_cast<double>(float_from_half(number_from<std::uint16_t>(bytes))));
  if (code == "b1") return PickleValue(bytes[0] != 0);
  if (code == "i8") return PickleValue(number_from<std::int64_t>(bytes));
  if (code == "i4") return PickleValue(static_cast<std::int64_t>(number_from<std::int32_t>(bytes)));
  if (code == "i2") return PickleValue(static_cast<std::int64_t>(number_from<std::int16_t>(bytes)));
  if (code == "i1") return PickleValue(static_cast<std::int64_t>(number_from<std::int8_t>(bytes)));
  if (code == "u4") return PickleValue(static_cast<std::int64_t>(number_from<std::uint32_t>(bytes)));
  if (code == "u2") return PickleValue(static_cast<std::int64_t>(number_from<std::uint16_t>(bytes)));
  if (code == "u1") return PickleValue(static_cast<std::int64_t>(number_from<std::uint8_t>(bytes)));
  return PickleValue::opaque({.name = "numpy." + code});
}

PickleValue rebuild_from_type(const std::string& global, const Items& arguments) {
  const PickleOpaque* function = arguments.size() == 4 ? arguments[0].if_opaque() : nullptr;
  const Items* inner = function && function->is_global ? arguments[2].if_tuple() : nullptr;
  if (!inner) bad_arguments(global);
  if (function->name != "torch._utils._rebuild_tensor_v2") {
    throw PickleProblem{
        fmt::format("calls {}, which is not on the list of what a checkpoint may call", function->name)};
  }
  return rebuild_tensor(function->name, *inner);
}

}  // namespace

std::string canonical_global(const std::string& module, const std::string& name) {
  if (module == "__builtin__") return "builtins." + name;
  constexpr std::string_view kNewNumpy = "numpy._core.";
  if (module.starts_with(kNewNumpy)) return fmt::format("numpy.core.{}.{}", module.substr(kNewNumpy.size()), name);
  return fmt::format("{}.{}", module, name);
}

std::optional<TensorType> storage_type_of(const std::string& global) {
  constexpr std::pair<std::string_view, TensorType> kStorages[] = {
      {"FloatStorage", TensorType::float32}, {"DoubleStorage", TensorType::float64},
      {"HalfStorage", TensorType::float16},  {"BFloat16Storage", TensorType::bfloat16},
      {"CharStorage", TensorType::int8},     {"ByteStorage", TensorType::uint8},
      {"ShortStorage", TensorType::int16},   {"IntStorage", TensorType::int32},
      {"LongStorage", TensorType::int64},    {"BoolStorage", TensorType::boolean},
      {"UntypedStorage", TensorType::uint8},
  };
  for (const auto& [name, type] : kStorages) {
    for (const std::string_view module : {"torch.", "torch.cuda.", "torch.storage."}) {
      if (global == std::string(module) + std::string(name)) return type;
    }
  }
  return std::nullopt;
}

PickleValue call_global(const std::string& global, const Items& arguments, std::size_t& budget) {
  if (global == "torch._utils._rebuild_tensor_v2" || global == "torch._utils._rebuild_tensor") {
    return rebuild_tensor(global, arguments);
  }
  if (global == "torch._utils._rebuild_parameter" || global == "torch._utils._rebuild_parameter_with_state") {
    if (arguments.empty() || !arguments[0].if_tensor()) bad_arguments(global);
    return arguments[0];
  }
  if (global == "torch._tensor._rebuild_from_type_v2") return rebuild_from_type(global, arguments);
  if (global == "collections.OrderedDict" || global == "builtins.dict" || global == "collections.Counter") {
    return dict_of(global, arguments, budget);
  }
  if (global == "collections.defaultdict") return PickleValue::dict({});
  if (global == "numpy.core.multiarray.scalar") return numpy_scalar(global, arguments);
  if (global == "numpy.dtype") return numpy_dtype(global, arguments);
  if (global == "_codecs.encode") return encode_latin1(global, arguments, budget);
  if (global == "builtins.bytes" && arguments.empty()) return PickleValue::bytes("");
  if (global == "torch.Size") {
    if (arguments.size() != 1 || !if_sequence(arguments[0])) bad_arguments(global);
    const Items& sizes = *if_sequence(arguments[0]);
    spend(budget, sizes.size() * sizeof(PickleValue));
    return PickleValue::tuple(sizes);
  }
  if (std::find(kInertClasses.begin(), kInertClasses.end(), global) != kInertClasses.end()) {
    return PickleValue::opaque({.name = global});
  }
  throw PickleProblem{fmt::format("calls {}, which is not on the list of what a checkpoint may call", global)};
}

PickleValue build_object(const PickleValue& object, const PickleValue& state) {
  if (object.if_dict() || object.if_tensor()) return object;  // attributes such as a state dict's _metadata
  const PickleOpaque* opaque = object.if_opaque();
  if (!opaque || opaque->is_global) {
    throw PickleProblem{fmt::format("sets the state of {}, which a checkpoint may not do", object.description())};
  }
  if (opaque->name != "numpy.dtype") return object;
  const Items* fields = state.if_tuple();
  const std::string* order = fields && fields->size() > 1 ? (*fields)[1].if_string() : nullptr;
  if (!order || order->size() != 1 || !std::strchr("<>=|", order->front())) {
    throw PickleProblem{"a numpy.dtype has a state that is none"};
  }
  return PickleValue::opaque({.name = opaque->name, .detail = *order + opaque->detail});
}

}  // namespace brainquant
