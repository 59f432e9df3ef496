#include "brainquant/support/run_key.h"

#include <fmt/format.h>

#include <algorithm>

namespace brainquant {

namespace {

std::string shown(const std::string* value) {
  if (value == nullptr) return "unknown";
  return value->empty() ? "not set" : *value;
}

const std::string* find(const std::vector<std::pair<std::string, std::string>>& fields, const std::string& name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

}  // namespace

void RunKey::set(const std::string& field, std::string value) {
  const auto found =
      std::find_if(fields_.begin(), fields_.end(), [&](const auto& known) { return known.first == field; });
  if (found != fields_.end()) {
    found->second = std::move(value);
  } else {
    fields_.emplace_back(field, std::move(value));
  }
}

void RunKey::add(const RunKey& other) {
  for (const auto& [field, value] : other.fields_) set(field, value);
}

RunKey RunKey::without(const std::vector<std::string>& fields) const {
  RunKey rest;
  for (const auto& [field, value] : fields_) {
    if (std::find(fields.begin(), fields.end(), field) == fields.end()) rest.set(field, value);
  }
  return rest;
}

std::string RunKey::value(const std::string& field) const {
  const std::string* found = find(fields_, field);
  return found == nullptr ? "" : *found;
}

std::optional<std::string> RunKey::difference(const RunKey& earlier) const {
  const auto said = [](const std::string& field, const std::string* was, const std::string* is) {
    return fmt::format("{} was {}, is {}", field, shown(was), shown(is));
  };
  for (const auto& [field, value] : fields_) {
    const std::string* was = find(earlier.fields_, field);
    if (was == nullptr || *was != value) return said(field, was, &value);
  }
  for (const auto& [field, value] : earlier.fields_) {
    if (find(fields_, field) == nullptr) return said(field, &value, nullptr);
  }
  return {};
}

}  // namespace brainquant
