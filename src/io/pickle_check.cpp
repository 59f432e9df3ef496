#include "io/pickle_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "io/pickle_globals.h"

namespace brainquant {

namespace {

constexpr int kMaxDepth = 64;

void check_keys(const PickleValue::Entries& entries) {
  std::unordered_set<std::string_view> names;
  std::unordered_set<std::int64_t> numbers;
  for (const auto& [key, value] : entries) {
    const bool is_new = key.if_string() ? names.insert(*key.if_string()).second
                        : key.if_int()  ? numbers.insert(*key.if_int()).second
                                        : true;
    if (!is_new) throw PickleProblem{fmt::format("a dict holds {} twice as a key", key.description())};
  }
}

// A container may be shared by many others: each is walked through once, and its height is kept.
class Walk {
 public:
  // Levels of containers in `value`, itself included.
  int height_of(const PickleValue& value, int depth) {
    const PickleValue::Items* items = value.if_list() ? value.if_list() : value.if_tuple();
    const PickleValue::Entries* entries = value.if_dict();
    if (!items && !entries) return 0;
    if (depth >= kMaxDepth) too_deep();
    const void* node = items ? static_cast<const void*>(items) : entries;
    if (const auto known = heights_.find(node); known != heights_.end()) {
      if (depth + known->second > kMaxDepth) too_deep();
      return known->second;
    }
    int below = 0;
    if (items) {
      for (const PickleValue& item : *items) below = std::max(below, height_of(item, depth + 1));
    } else {
      check_keys(*entries);
      for (const auto& [key, entry] : *entries) {
        below = std::max({below, height_of(key, depth + 1), height_of(entry, depth + 1)});
      }
    }
    heights_.emplace(node, below + 1);
    return below + 1;
  }

  std::unordered_set<const void*> nodes() const {
    std::unordered_set<const void*> result;
    for (const auto& [node, height] : heights_) result.insert(node);
    return result;
  }

 private:
  [[noreturn]] static void too_deep() {
    throw PickleProblem{fmt::format("containers lie deeper than {} levels, or hold themselves", kMaxDepth)};
  }

  std::unordered_map<const void*, int> heights_;
};

}  // namespace

std::unordered_set<const void*> check_pickled_value(const PickleValue& root) {
  Walk walk;
  walk.height_of(root, 0);
  return walk.nodes();
}

}  // namespace brainquant
