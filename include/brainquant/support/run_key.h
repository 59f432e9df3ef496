// What decides a result, field by field: two runs with the same key need the work only once.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brainquant {

class RunKey {
 public:
  /// Adds a field, or gives one that is there another value.
  void set(const std::string& field, std::string value);
  /// Adds every field of another key.
  void add(const RunKey& other);
  RunKey without(const std::vector<std::string>& fields) const;
  /// A field's value; "" if there is none of that name.
  std::string value(const std::string& field) const;

  /// In the order in which they were added.
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }
  bool empty() const { return fields_.empty(); }

  /// What changed from the key of an earlier run to this one: "batch_size was 8, is 4", the first such field by this
  /// key's order; nothing if the keys are equal, whatever the order of their fields.
  std::optional<std::string> difference(const RunKey& earlier) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace brainquant
