// Ranges, and how work is split over the members of a team.
#pragma once

#include <cstdint>

namespace brainquant {

/// A part [begin, end) of something that is split.
struct Share {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t count() const { return end - begin; }
};
inline Share share_of(std::int64_t total, int member, int members) {
  return {total * member / members, total * (member + 1) / members};
}

}  // namespace brainquant
