#include "machine_limits.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "stopwatch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace brainquant::benchmarks {

namespace {

constexpr std::int64_t kRounds = 200'000;
constexpr int kSums = 10;  // independent sums hide the instruction's latency and leave registers for the operands

#if defined(__x86_64__)
// The asm lines keep the compiler from taking a value as known: without them it would compute the loops away.

__attribute__((target("avx512f,avx512vnni"))) std::int64_t avx512_vnni_loop() {
  __m512i sum[kSums] = {}, a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (std::int64_t i = 0; i < kRounds; ++i) {
    asm volatile("" : "+v"(a), "+v"(b));
#pragma GCC unroll 10
    for (int k = 0; k < kSums; ++k) {
      sum[k] = _mm512_dpbusd_epi32(sum[k], a, b);
      asm volatile("" : "+v"(sum[k]));
    }
  }
  return kRounds * kSums * 64;
}

__attribute__((target("avx2,avxvnni"))) std::int64_t avx_vnni_loop() {
  __m256i sum[kSums] = {}, a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  for (std::int64_t i = 0; i < kRounds; ++i) {
    asm volatile("" : "+x"(a), "+x"(b));
#pragma GCC unroll 10
    for (int k = 0; k < kSums; ++k) {
      sum[k] = _mm256_dpbusd_avx_epi32(sum[k], a, b);
      asm volatile("" : "+x"(sum[k]));
    }
  }
  return kRounds * kSums * 32;
}

/// AVX2 has no such instruction: vpmaddubsw, vpmaddwd and an addition do its work.
__attribute__((target("avx2"))) std::int64_t avx2_loop() {
  __m256i sum[kSums] = {}, x = _mm256_set1_epi8(3), w = _mm256_set1_epi8(5);
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::int64_t i = 0; i < kRounds; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kSums; ++k) {
      asm volatile("" : "+x"(x), "+x"(w));
      sum[k] = _mm256_add_epi32(sum[k], _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), ones));
      asm volatile("" : "+x"(sum[k]));
    }
  }
  return kRounds * kSums * 32;
}

__attribute__((target("avx2"))) void read_by_avx2(const char* at, std::int64_t bytes) {
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (const char* end = at + bytes; at < end; at += 128) {
    a = _mm256_or_si256(a, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
    b = _mm256_or_si256(b, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32)));
    c = _mm256_or_si256(c, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 64)));
    d = _mm256_or_si256(d, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 96)));
  }
  asm volatile("" : : "x"(a), "x"(b), "x"(c), "x"(d));
}

__attribute__((target("avx512f"))) void read_by_avx512(const char* at, std::int64_t bytes) {
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (const char* end = at + bytes; at < end; at += 256) {
    a = _mm512_or_si512(a, _mm512_loadu_si512(at));
    b = _mm512_or_si512(b, _mm512_loadu_si512(at + 64));
    c = _mm512_or_si512(c, _mm512_loadu_si512(at + 128));
    d = _mm512_or_si512(d, _mm512_loadu_si512(at + 192));
  }
  asm volatile("" : : "v"(a), "v"(b), "v"(c), "v"(d));
}
#endif

std::int64_t (*loop_of(const Kernel& kernel))() {
#if defined(__x86_64__)
  if (std::strcmp(kernel.name, "avx512_vnni") == 0) return avx512_vnni_loop;
  if (std::strcmp(kernel.name, "avx_vnni") == 0) return avx_vnni_loop;
  if (std::strcmp(kernel.name, "avx2") == 0) return avx2_loop;
#endif
  return nullptr;
}

}  // namespace

double peak_macs_per_second(const Kernel& kernel) {
  const auto loop = loop_of(kernel);
  if (loop == nullptr || !kernel.is_supported()) return 0;
  double best = 0;
  for (int stretch = 0; stretch < 20; ++stretch) {
    const Stopwatch watch;
    const std::int64_t macs = loop();
    best = std::max(best, static_cast<double>(macs) / watch.seconds());
  }
  return best;
}

void read_bytes(const void* memory, std::int64_t bytes) {
  const auto* at = static_cast<const char*>(memory);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return read_by_avx512(at, bytes);
  if (__builtin_cpu_supports("avx2")) return read_by_avx2(at, bytes);
#endif
  std::uint64_t all = 0;
  for (const char* end = at + bytes; at < end; at += sizeof all) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    all |= word;
  }
  asm volatile("" : : "r"(all));
}

double seconds_to_read(ThreadTeam& team, const void* memory, std::int64_t bytes, int times) {
  constexpr std::int64_t kPiece = 256;
  const std::int64_t pieces = bytes / kPiece;
  const std::function<void(int)> work = [&](int member) {
    const std::int64_t begin = pieces * member / team.size(), end = pieces * (member + 1) / team.size();
    for (int i = 0; i < times; ++i)
      read_bytes(static_cast<const char*>(memory) + begin * kPiece, (end - begin) * kPiece);
  };
  const Stopwatch watch;
  team.run(work);
  return watch.seconds() / times;
}

}  // namespace brainquant::benchmarks
