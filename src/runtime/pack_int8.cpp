// INT8 weights into a kernel's layout.
#include <algorithm>
#include <cstring>
#include <optional>
#include <variant>

#include "runtime/packed_matrix.h"

namespace brainquant {

PackedMatrix pack_int8(const PackArguments& arguments) {
  const auto& weight = std::get<Int8Matrix>(arguments.weight);
  const std::int64_t run = arguments.run;
  const std::int64_t runs = weight.cols / run;
  const std::int64_t padded_run = round_up(run, kBlockChannels);
  PackedMatrix packed = empty_packed(arguments, {.quad_count = runs * padded_run / kQuadInputs});
  for (std::int64_t c = 0; c < packed.channels(); ++c) {
    const std::int64_t row = arguments.channel_rows[static_cast<std::size_t>(c)];
    if (row < 0) continue;
    const std::int8_t* from = weight.row(row);
    std::int8_t* channel =
        packed.values.data() + (c / kBlockChannels) * packed.block_stride() + (c % kBlockChannels) * kQuadInputs;
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < weight.cols; ++i) sum += from[i];
    for (std::int64_t r = 0; r < runs; ++r) {
      std::int8_t* to = channel + r * padded_run / kQuadInputs * kQuadBytes;
      for (std::int64_t i = 0; i < run; i += kQuadInputs, to += kQuadBytes) {
        std::memcpy(to, from + r * run + i, static_cast<std::size_t>(std::min(kQuadInputs, run - i)));
      }
    }
    packed.compensation[c] = -arguments.storage_offset * sum;
    packed.scales[c] = weight.scale(row);
    packed.biases[c] = arguments.bias[static_cast<std::size_t>(row)];
  }
  if (packed.gemm.pair_limit > 0) {
    std::optional<Outliers> outliers =
        Outliers::taken_from(packed.values.data(), packed.block_count, packed.quad_count, packed.gemm);
    packed.within_pair_limit = outliers.has_value();
    if (outliers) packed.outliers = std::move(*outliers);
  }
  // multiply_any_tile adds products of q itself.
  if (!packed.within_pair_limit) std::fill_n(packed.compensation.data(), packed.channels(), 0);
  return packed;
}

}  // namespace brainquant
