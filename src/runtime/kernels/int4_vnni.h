// 4-bit weights with vpdpbusd and vpdpwssd, over vectors of a type V: V::kChannels channels, 4 bytes of a k quad each.
// Internal linkage, like elementwise.h.
//
// A byte has the signed codes of two inputs. With the low nibble masked out it is 16 * the high one's code, so that no
// sign has to be extended. A row's sum of a group is in two parts, of the lines' first and second k quads: 16 * 255 * 8
// = 32,640 at most either, which fits 16 bits, so one vpdpwssd multiplies both by the group's scale and adds them up.
#pragma once

#include <cstdint>

#include "runtime/kernels/int4_groups.h"
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/unroll.h"
#include "runtime/kernels/with_constant.h"

namespace brainquant {
namespace {

template <typename V>
struct Int4Vnni {
  using Int = typename V::Int;
  static constexpr int kChannels = V::kChannels;
  static constexpr int kLineInputs = static_cast<int>(kLineQuads * kQuadInputs);

  /// Where the channels of a tile's vector v are in a group: bytes from the first block's.
  static std::int64_t block_of(int v) { return v * kChannels / kBlockChannels; }
  static const std::uint8_t* lines_of(const TileArguments& t, Int4Group group, int v) {
    return group.lines + block_of(v) * t.block_stride + v * kChannels % kBlockChannels * kQuadInputs;
  }
  static const std::uint8_t* scales_of(const TileArguments& t, Int4Group group, int v) {
    return group.scales + block_of(v) * t.block_stride + v * kChannels % kBlockChannels;
  }

  /// Keeps the compiler from reading a vector again for each operation with it: reads are what bounds few rows.
  static Int in_register(Int value) {
    asm("" : "+v"(value));
    return value;
  }

  /// Rows rows and Vectors vectors of channels; the sums stay in registers.
  template <int Rows, int Vectors>
  static void tile(const TileArguments& t) {
    const Int high_nibbles = V::all_bytes(0xf0);
    Int sums[Rows][Vectors];
    const std::uint8_t* rows[Rows];
    BRAINQUANT_UNROLL
    for (int m = 0; m < Rows; ++m) {
      rows[m] = t.rows[m] + t.row_offset;
      BRAINQUANT_UNROLL
      for (int v = 0; v < Vectors; ++v) sums[m][v] = V::load(t.acc + m * t.acc_stride + v * kChannels);
    }
    for_each_group(
        t, [&](Int4Group group, auto lines) __attribute__((always_inline)) {
          constexpr int kLines = lines;
          Int firsts[Rows][Vectors], seconds[Rows][Vectors];
          BRAINQUANT_UNROLL
          for (int m = 0; m < Rows; ++m) {
            BRAINQUANT_UNROLL
            for (int v = 0; v < Vectors; ++v) firsts[m][v] = seconds[m][v] = V::zero();
          }
          BRAINQUANT_UNROLL
          for (int j = 0; j < kLines; ++j) {
            Int first_codes[Vectors], second_codes[Vectors];
            BRAINQUANT_UNROLL
            for (int v = 0; v < Vectors; ++v) {
              const Int bytes = in_register(V::load(lines_of(t, group, v) + j * kQuadBytes));
              first_codes[v] = V::bits_and(V::shifted_left_4(bytes), high_nibbles);
              second_codes[v] = V::bits_and(bytes, high_nibbles);
            }
            BRAINQUANT_UNROLL
            for (int m = 0; m < Rows; ++m) {
              const Int first = V::broadcast(rows[m] + j * kLineInputs);
              const Int second = V::broadcast(rows[m] + j * kLineInputs + kQuadInputs);
              BRAINQUANT_UNROLL
              for (int v = 0; v < Vectors; ++v) {
                firsts[m][v] = V::add_products(firsts[m][v], first, first_codes[v]);
                seconds[m][v] = V::add_products(seconds[m][v], second, second_codes[v]);
              }
            }
          }
          BRAINQUANT_UNROLL
          for (int v = 0; v < Vectors; ++v) {
            const Int scale = V::doubled(scales_of(t, group, v));
            BRAINQUANT_UNROLL
            for (int m = 0; m < Rows; ++m) {
              sums[m][v] = V::add_pair_products(sums[m][v], V::pairs(firsts[m][v], seconds[m][v]), scale);
            }
          }
          BRAINQUANT_UNROLL
          for (int m = 0; m < Rows; ++m) rows[m] += kLines * kLineInputs;
        });
    BRAINQUANT_UNROLL
    for (int m = 0; m < Rows; ++m) {
      BRAINQUANT_UNROLL
      for (int v = 0; v < Vectors; ++v) V::store(t.acc + m * t.acc_stride + v * kChannels, sums[m][v]);
    }
  }

  /// Tile by tile of as many vectors as V has registers for: `Vectors` and then what is left, half as many and so on.
  template <int Rows, int Vectors>
  static void tiles(TileArguments t) {
    if constexpr (Vectors * kChannels >= kBlockChannels) {
      constexpr std::int64_t kBlocks = Vectors * kChannels / kBlockChannels;
      for (; t.block_count >= kBlocks; t.block_count -= kBlocks) {
        tile<Rows, Vectors>(t);
        t.weights += kBlocks * t.block_stride;
        t.group_scales += kBlocks * t.block_stride;
        t.acc += kBlocks * kBlockChannels;
      }
      if constexpr (kBlocks > 1) tiles<Rows, Vectors / 2>(t);
    }
  }

  static void multiply(const TileArguments& t) {
    with_constant<V::kInt4Mr>(t.row_count, [&](auto rows) { tiles<rows, V::int4_vectors(rows)>(t); });
  }

  /// GemmConfig::expand. A code + 8 is at most 15 and a group scale too: their product fits its byte, so that one
  /// multiplication of 16 bits makes two products.
  static void expand(const TileArguments& t, std::int8_t* to) {
    const Int low_nibbles = V::all_bytes(15);
    const Int lowest_code = V::all_bytes(8);
    const std::int64_t block_bytes = t.quad_count * kQuadBytes;
    for_each_group(
        t, [&](Int4Group group, auto lines) __attribute__((always_inline)) {
          constexpr int kLines = lines;
          for (int v = 0; v < t.block_count * kBlockChannels / kChannels; ++v) {
            const Int scale = V::doubled(scales_of(t, group, v));
            const Int in_every_byte = V::bits_or(scale, V::shifted_left_8(scale));
            const Int eight_times = V::shifted_left_3(in_every_byte);
            const std::uint8_t* from = lines_of(t, group, v);
            std::int8_t* out =
                to + block_of(v) * block_bytes + group.quad * kQuadBytes + v * kChannels % kBlockChannels * kQuadInputs;
            BRAINQUANT_UNROLL
            for (int j = 0; j < kLines; ++j, from += kQuadBytes, out += kLineQuads * kQuadBytes) {
              const Int bytes = V::load(from);
              const Int first = V::bits_xor(V::bits_and(bytes, low_nibbles), lowest_code);
              const Int second = V::bits_xor(V::bits_and(V::shifted_right_4(bytes), low_nibbles), lowest_code);
              V::store(out, V::subtract_bytes(V::multiply_words(first, scale), eight_times));
              V::store(out + kQuadBytes, V::subtract_bytes(V::multiply_words(second, scale), eight_times));
            }
          }
        });
  }
};

}  // namespace
}  // namespace brainquant
