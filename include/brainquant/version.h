#pragma once

namespace brainquant {

/// The tool's version, as quantized files and results name it.
inline constexpr const char* kVersion = "0.1.3";

}  // namespace brainquant
