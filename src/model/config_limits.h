// What the readers of args.yaml and of quantized files accept as a decoder's configuration, and the longest trial.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace brainquant::config_limits {

// Larger than any decoder of this kind, small enough that no product of sizes overflows.
inline constexpr std::int64_t kMaxWidth = 16384;  // of features, units and classes
inline constexpr std::int64_t kMaxLayers = 64;
inline constexpr std::int64_t kMinClasses = 2;
inline constexpr std::int64_t kMaxPatch = 1000;
inline constexpr std::size_t kMaxSessions = 10000;
inline constexpr std::int64_t kMaxParameters = 4'000'000'000;
inline constexpr std::int64_t kMaxKernelSize = 100'000;
inline constexpr double kMaxKernelStd = 10'000;
/// Of one trial: 5.5 hours.
inline constexpr std::int64_t kMostBins = 1'000'000;

/// A session's name is the name of its folder.
inline bool is_folder_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

inline bool is_kernel_std(double value) { return value > 0 && value <= kMaxKernelStd; }

}  // namespace brainquant::config_limits
