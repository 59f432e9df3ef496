// From a count at run time to a template's argument. Internal linkage, like elementwise.h.
#pragma once

#include <cstdint>
#include <type_traits>

namespace brainquant {
namespace {

/// Calls visit(std::integral_constant<int, count>()), for a count from 1 to Most.
template <int Most, typename Visit>
inline __attribute__((always_inline)) void with_constant(std::int64_t count, const Visit& visit) {
  if constexpr (Most > 1) {
    if (count < Most) return with_constant<Most - 1>(count, visit);
  }
  visit(std::integral_constant<int, Most>());
}

}  // namespace
}  // namespace brainquant
