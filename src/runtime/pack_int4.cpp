// 4-bit weights into a kernel's layout.
#include <algorithm>
#include <variant>

#include "runtime/packed_matrix.h"

namespace brainquant {

namespace {

/// Stored nibbles are code + 8; this turns a byte's two into signed codes.
constexpr std::uint8_t kSigned = 0x88;

/// Puts the codes of one channel's inputs [first, first + count) into its lines, 8 inputs a line; returns their sum.
std::int32_t pack_codes(const Int4Matrix& weight, std::int64_t row, std::int64_t first, std::int64_t count,
                        std::uint8_t* to) {
  constexpr std::int64_t kLineInputs = kLineQuads * kQuadInputs;
  const std::uint8_t* const codes = weight.codes.data() + row * weight.code_row_bytes();
  std::int32_t sum = 0;
  if (first % 2 == 0 && count % kLineInputs == 0) {
    for (const std::uint8_t* from = codes + first / 2; count > 0; count -= kLineInputs, from += 4, to += kQuadBytes) {
      to[0] = static_cast<std::uint8_t>(((from[0] & 15) | from[2] << 4) ^ kSigned);
      to[1] = static_cast<std::uint8_t>((from[0] >> 4 | (from[2] & 0xf0)) ^ kSigned);
      to[2] = static_cast<std::uint8_t>(((from[1] & 15) | from[3] << 4) ^ kSigned);
      to[3] = static_cast<std::uint8_t>((from[1] >> 4 | (from[3] & 0xf0)) ^ kSigned);
      for (int k = 0; k < 4; ++k) sum += (from[k] & 15) + (from[k] >> 4);
      sum += static_cast<std::int32_t>(kLineInputs) * Int4Matrix::kLowestCode;
    }
    return sum;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const int stored = Int4Matrix::nibble(codes, first + i);
    std::uint8_t& byte = to[i / kLineInputs * kQuadBytes + i % kQuadInputs];
    byte = static_cast<std::uint8_t>(i % kLineInputs < kQuadInputs ? (byte & 0xf0) | (stored ^ 8)
                                                                   : (byte & 15) | (stored ^ 8) << 4);
    sum += stored + Int4Matrix::kLowestCode;
  }
  return sum;
}

}  // namespace

PackedMatrix pack_int4(const PackArguments& arguments) {
  const auto& weight = std::get<Int4Matrix>(arguments.weight);
  const std::int64_t run = arguments.run;
  const std::int64_t runs = weight.cols / run;
  const std::int64_t run_quads = round_up(run, kBlockChannels) / kQuadInputs;
  PackedMatrix packed = empty_packed(arguments, {.quad_count = runs * run_quads,
                                                 .quad_bytes = kQuadBytes / kLineQuads,
                                                 .scale_bytes = round_up(weight.groups() * kBlockChannels, kQuadBytes),
                                                 .run_quads = run_quads});
  constexpr std::uint8_t kZeroCodes = 0;
  auto* const bytes = reinterpret_cast<std::uint8_t*>(packed.values.data());
  for (std::int64_t b = 0; b < packed.block_count; ++b) {
    std::fill_n(bytes + b * packed.block_stride(), packed.quad_count * packed.quad_bytes, kZeroCodes);
  }
  for (std::int64_t c = 0; c < packed.channels(); ++c) {
    const std::int64_t row = arguments.channel_rows[static_cast<std::size_t>(c)];
    if (row < 0) continue;
    std::uint8_t* const block = bytes + (c / kBlockChannels) * packed.block_stride();
    std::uint8_t* const group_scales = block + packed.quad_count * packed.quad_bytes + c % kBlockChannels;
    std::int32_t sum = 0;
    std::int64_t group = 0;
    for (std::int64_t r = 0; r < runs; ++r) {
      for (std::int64_t first = 0; first < run; first += Int4Matrix::kGroupInputs, ++group) {
        const std::int64_t count = std::min(Int4Matrix::kGroupInputs, run - first);
        const int group_scale = weight.group_scale(row, group);
        group_scales[group * kBlockChannels] = static_cast<std::uint8_t>(group_scale);
        const std::int64_t line = (r * packed.run_quads + first / kQuadInputs) / kLineQuads;
        std::uint8_t* const to = block + line * kQuadBytes + c % kBlockChannels * kQuadInputs;
        sum += group_scale * pack_codes(weight, row, r * run + first, count, to);
      }
    }
    packed.compensation[c] = -arguments.storage_offset * sum;
    packed.scales[c] = weight.scales[static_cast<std::size_t>(row)];
    packed.biases[c] = arguments.bias[static_cast<std::size_t>(row)];
  }
  return packed;
}

}  // namespace brainquant
