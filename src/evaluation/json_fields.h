// A struct's JSON, read and written by one list of its fields:
//
//   template <typename Fields>
//   void list_fields(Fields& fields, OfStruct<Fields, Point>& point) {
//     fields("x", point.x);
//   }
//   ordered_json json = json_of_fields(point);
//   const auto point = struct_of_json<Point>(json);
//
// A field is a number, a text, a list of them, a std::optional (null without a value), a std::map, or a struct that has
// such a list itself; other types by overloads of json_of_field() and read_field(). A field that is missing throws
// ordered_json::exception unless it is listed as one that was added later.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "evaluation/json_values.h"

namespace brainquant {

class JsonWriter;
class JsonReader;

/// The struct that a list names: to be changed when it is read.
template <typename Fields, typename Struct>
using OfStruct = std::conditional_t<std::is_same_v<Fields, JsonReader>, Struct, const Struct>;

template <typename Struct>
nlohmann::ordered_json json_of_fields(const Struct& object);
template <typename Struct>
Struct struct_of_json(const nlohmann::ordered_json& json);

// Fields with a form of their own.
inline nlohmann::ordered_json json_of_field(const RunKey& key) { return json_of(key); }
inline nlohmann::ordered_json json_of_field(const OptionValues& values) { return json_of(values); }
inline void read_field(const nlohmann::ordered_json& json, RunKey& key) { key = run_key_of(json); }
inline void read_field(const nlohmann::ordered_json& json, OptionValues& values) { values = option_values_of(json); }

template <typename Struct>
concept ListsItsFields = requires(JsonWriter& fields, const Struct& object) {
  list_fields(fields, object);
};

template <typename Field>
nlohmann::ordered_json json_of_field(const Field& field) {
  if constexpr (ListsItsFields<Field>) {
    return json_of_fields(field);
  } else {
    return field;
  }
}
template <typename Field>
nlohmann::ordered_json json_of_field(const std::optional<Field>& field) {
  return field ? json_of_field(*field) : nlohmann::ordered_json(nullptr);
}
template <typename Field>
requires ListsItsFields<Field> nlohmann::ordered_json json_of_field(const std::vector<Field>& fields) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Field& field : fields) json.push_back(json_of_field(field));
  return json;
}
template <typename Field>
nlohmann::ordered_json json_of_field(const std::vector<std::optional<Field>>& fields) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const std::optional<Field>& field : fields) json.push_back(json_of_field(field));
  return json;
}
template <typename Field>
nlohmann::ordered_json json_of_field(const std::map<std::string, Field>& fields) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, field] : fields) json[name] = json_of_field(field);
  return json;
}

template <typename Field>
void read_field(const nlohmann::ordered_json& json, Field& field) {
  if constexpr (ListsItsFields<Field>) {
    field = struct_of_json<Field>(json);
  } else {
    json.get_to(field);
  }
}
template <typename Field>
void read_field(const nlohmann::ordered_json& json, std::optional<Field>& field) {
  field.reset();
  if (!json.is_null()) read_field(json, field.emplace());
}
template <typename Field>
requires ListsItsFields<Field>
void read_field(const nlohmann::ordered_json& json, std::vector<Field>& fields) {
  fields.clear();
  for (const nlohmann::ordered_json& field : json) read_field(field, fields.emplace_back());
}
template <typename Field>
void read_field(const nlohmann::ordered_json& json, std::vector<std::optional<Field>>& fields) {
  fields.clear();
  for (const nlohmann::ordered_json& field : json) read_field(field, fields.emplace_back());
}
template <typename Field>
void read_field(const nlohmann::ordered_json& json, std::map<std::string, Field>& fields) {
  fields.clear();
  for (const auto& [name, field] : json.items()) read_field(field, fields[name]);
}

/// Adds fields to an object of JSON, in the order in which they are listed.
class JsonWriter {
 public:
  nlohmann::ordered_json json = nlohmann::ordered_json::object();

  template <typename Field>
  void operator()(const char* name, const Field& field) {
    json[name] = json_of_field(field);
  }
  template <typename Field>
  void added_later(const char* name, const Field& field) {
    (*this)(name, field);
  }
  /// Missing, not null, without a value.
  template <typename Field>
  void only_with_value(const char* name, const std::optional<Field>& field) {
    if (field) (*this)(name, field);
  }
  /// What follows from other fields: written, never read.
  template <typename Value>
  void derived(const char* name, const Value& value) {
    json[name] = value;
  }
  /// A text that need not be UTF-8.
  void bytes(const char* name, const std::string& field) { json[name] = json_of_bytes(field); }
  /// null for "".
  void text_or_null(const char* name, const std::string& field) {
    json[name] = field.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(field);
  }
  /// One member of each item as a list of text_or_null().
  template <typename Item>
  void column(const char* name, const std::vector<Item>& items, std::string Item::*member) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Item& item : items) {
      list.push_back((item.*member).empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(item.*member));
    }
    json[name] = std::move(list);
  }
  /// An object inside that holds fields of the same struct.
  template <typename List>
  void object(const char* name, const List& list) {
    JsonWriter inner;
    list(inner);
    json[name] = std::move(inner.json);
  }
  /// The same, null unless `decides` has a value; added later.
  template <typename Decides, typename List>
  void object_if(const char* name, const std::optional<Decides>& decides, const List& list) {
    json[name] = nullptr;
    if (decides) object(name, list);
  }
};

/// The counterparts: read what JsonWriter wrote.
class JsonReader {
 public:
  explicit JsonReader(const nlohmann::ordered_json& json) : json_(json) {}

  template <typename Field>
  void operator()(const char* name, Field& field) {
    read_field(json_.at(name), field);
  }
  template <typename Field>
  void added_later(const char* name, Field& field) {
    if (json_.contains(name)) (*this)(name, field);
  }
  template <typename Field>
  void only_with_value(const char* name, std::optional<Field>& field) {
    added_later(name, field);
  }
  template <typename Value>
  void derived(const char*, const Value&) {}
  void bytes(const char* name, std::string& field) { field = bytes_of_json(json_.at(name)); }
  void text_or_null(const char* name, std::string& field) { field = text_of(json_.at(name)); }
  template <typename Item>
  void column(const char* name, std::vector<Item>& items, std::string Item::*member) {
    const nlohmann::ordered_json& list = json_.at(name);
    if (items.empty()) items.resize(list.size());
    for (std::size_t i = 0; i < items.size(); ++i) items[i].*member = text_of(list.at(i));
  }
  template <typename List>
  void object(const char* name, const List& list) {
    JsonReader inner(json_.at(name));
    list(inner);
  }
  template <typename Decides, typename List>
  void object_if(const char* name, std::optional<Decides>& decides, const List& list) {
    decides.reset();
    if (!json_.contains(name) || json_.at(name).is_null()) return;
    decides.emplace();
    object(name, list);
  }

 private:
  static std::string text_of(const nlohmann::ordered_json& json) {
    return json.is_null() ? std::string() : json.get<std::string>();
  }

  const nlohmann::ordered_json& json_;
};

template <typename Struct>
nlohmann::ordered_json json_of_fields(const Struct& object) {
  JsonWriter fields;
  list_fields(fields, object);
  return std::move(fields.json);
}

template <typename Struct>
Struct struct_of_json(const nlohmann::ordered_json& json) {
  Struct object;
  JsonReader fields(json);
  list_fields(fields, object);
  return object;
}

}  // namespace brainquant
