// Constants of docs/numerics.md. No code: this file is included by sources compiled for different instruction sets.
#pragma once

namespace brainquant::numerics {

constexpr float kSmallestRowMaximum = 0x1p-100f;
constexpr float kTanhLimit = 8.0f;
constexpr float kTanhP0 = 0x1.ffffeap-1f;
constexpr float kTanhP1 = 0x1.0878aap-3f;
constexpr float kTanhP2 = 0x1.8132a2p-9f;
constexpr float kTanhP3 = 0x1.7b81ecp-17f;
constexpr float kTanhQ1 = 0x1.d9910cp-2f;
constexpr float kTanhQ2 = 0x1.8558aep-6f;
constexpr float kTanhQ3 = 0x1.f1158ep-13f;
constexpr float kTanhQ4 = 0x1.0441e4p-22f;
/// Widest row whose product fits int32: 133,143 * 127 * 127 < 2^31.
constexpr int kWidestRow = 133000;

}  // namespace brainquant::numerics
