#include <fmt/format.h>

#include <cmath>

#include "brainquant/support/error.h"
#include "io/pickle.h"

namespace brainquant {

namespace {

[[noreturn]] void expected(const PickleField& field, const std::string& what) {
  throw FormatError(field.path(), field.where(), field.value().description(), what);
}

std::string below(const std::string& where, std::string_view key) {
  return where.empty() ? std::string(key) : fmt::format("{}.{}", where, key);
}

}  // namespace

void PickleField::fail(const std::string& problem) const { throw FormatError(path_, where_, problem); }

PickleField PickleField::at(std::string_view key) const {
  if (!value_->if_dict()) expected(*this, "a dict");
  const PickleValue* found = value_->find(key);
  if (!found) throw FormatError(path_, below(where_, key), "is missing");
  return PickleField(*found, path_, below(where_, key));
}

bool PickleField::as_bool() const {
  const bool* found = value_->if_bool();
  if (!found) expected(*this, "True or False");
  return *found;
}

std::int64_t PickleField::as_int() const {
  const std::int64_t* found = value_->if_int();
  if (!found) expected(*this, "an int");
  return *found;
}

std::int64_t PickleField::as_int(std::int64_t lowest, std::int64_t highest) const {
  const std::int64_t found = as_int();
  if (found < lowest || found > highest) expected(*this, fmt::format("an int from {} to {}", lowest, highest));
  return found;
}

double PickleField::as_double() const {
  if (const std::int64_t* integer = value_->if_int()) return static_cast<double>(*integer);
  const double* found = value_->if_double();
  if (!found || !std::isfinite(*found)) expected(*this, "a finite number");
  return *found;
}

const std::string& PickleField::as_string() const {
  const std::string* found = value_->if_string();
  if (!found) expected(*this, "a string");
  return *found;
}

const PickleTensor& PickleField::as_tensor() const {
  const PickleTensor* found = value_->if_tensor();
  if (!found) expected(*this, "a tensor");
  return *found;
}

std::vector<PickleField> PickleField::items() const {
  const PickleValue::Items* found = value_->if_list() ? value_->if_list() : value_->if_tuple();
  if (!found) expected(*this, "a list");
  std::vector<PickleField> fields;
  fields.reserve(found->size());
  for (std::size_t i = 0; i < found->size(); ++i) {
    fields.emplace_back((*found)[i], path_, fmt::format("{}[{}]", where_, i));
  }
  return fields;
}

std::vector<std::pair<std::string, PickleField>> PickleField::entries() const {
  const PickleValue::Entries* found = value_->if_dict();
  if (!found) expected(*this, "a dict");
  std::vector<std::pair<std::string, PickleField>> fields;
  fields.reserve(found->size());
  for (const auto& [key, value] : *found) {
    const std::string* name = key.if_string();
    if (!name) throw FormatError(path_, where_, fmt::format("the key {}", key.description()), "keys that are strings");
    fields.emplace_back(*name, PickleField(value, path_, below(where_, *name)));
  }
  return fields;
}

}  // namespace brainquant
