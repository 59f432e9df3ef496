// How wide a text may be.
#pragma once

#include <cstddef>
#include <limits>

namespace brainquant {

/// As wide as it comes: for files and pipes.
inline constexpr std::size_t kAnyWidth = std::numeric_limits<std::size_t>::max();

}  // namespace brainquant
