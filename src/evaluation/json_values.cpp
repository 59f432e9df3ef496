#include "evaluation/json_values.h"

#include <fmt/format.h>

#include <charconv>

namespace brainquant {

using nlohmann::ordered_json;

namespace {

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(ordered_json(text).dump());
    return true;
  } catch (const ordered_json::type_error&) {
    return false;
  }
}

OptionValue option_value_of(const ordered_json& json) {
  switch (json.type()) {
    case ordered_json::value_t::boolean:
      return json.get<bool>();
    case ordered_json::value_t::number_integer:
    case ordered_json::value_t::number_unsigned:
      return json.get<std::int64_t>();
    case ordered_json::value_t::number_float:
      return json.get<double>();
    case ordered_json::value_t::string:
      return json.get<std::string>();
    case ordered_json::value_t::array:
      return json.get<std::vector<std::string>>();
    default:
      return {};
  }
}

}  // namespace

ordered_json json_of(const RunKey& key) {
  ordered_json json = ordered_json::object();
  for (const auto& [field, value] : key.fields()) json[field] = json_of_bytes(value);
  return json;
}

RunKey run_key_of(const ordered_json& json) {
  RunKey key;
  for (const auto& [field, value] : json.items()) key.set(field, bytes_of_json(value));
  return key;
}

ordered_json json_of(const OptionValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return nullptr;
  return std::visit(
      [](const auto& held) {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) {
          return ordered_json(nullptr);
        } else {
          return ordered_json(held);
        }
      },
      value);
}

ordered_json json_of(const OptionValues& values) {
  ordered_json json = ordered_json::object();
  for (const auto& [name, value] : values) json[name] = json_of(value);
  return json;
}

OptionValues option_values_of(const ordered_json& json) {
  OptionValues values;
  for (const auto& [name, value] : json.items()) values.emplace_back(name, option_value_of(value));
  return values;
}

ordered_json json_of_bytes(const std::string& bytes) {
  if (is_utf8(bytes)) return bytes;
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return {{"hex", hex}};
}

std::string bytes_of_json(const ordered_json& json) {
  if (json.is_string()) return json.get<std::string>();
  const auto hex = json.at("hex").get<std::string>();
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes += static_cast<char>(value);
  }
  return bytes;
}

std::string json_text(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace brainquant
