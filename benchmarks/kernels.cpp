// Each kernel that this CPU has, one thread: products of the decoder's layer sizes, as GMAC/s and as share of the peak
// measured in this run; and the elementwise parts.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <map>

#include "machine_limits.h"
#include "packed_case.h"
#include "runtime/kernels/kernel_table.h"

namespace {

using namespace brainquant;
using namespace brainquant::benchmarks;

double peak_of(const Kernel& kernel) {
  static std::map<const Kernel*, double> known;
  const auto found = known.find(&kernel);
  return found != known.end() ? found->second : known[&kernel] = peak_macs_per_second(kernel);
}

void product(benchmark::State& state, const Kernel& kernel, WeightFormat format, std::int64_t inputs,
             std::int64_t channels, std::int64_t rows) {
  const double peak = peak_of(kernel);
  PackedCase packed(kernel, inputs, channels, rows, format);
  for (auto _ : state) {
    packed.multiply(0, 1);
    benchmark::ClobberMemory();
  }
  const double macs = packed.macs() * static_cast<double>(state.iterations());
  state.counters["GMAC/s"] = benchmark::Counter(macs / 1e9, benchmark::Counter::kIsRate);
  if (peak > 0) state.counters["share_of_peak"] = benchmark::Counter(macs / peak, benchmark::Counter::kIsRate);
}

/// 4-bit weights to INT8: what products of many rows begin with where there is a faster INT8 product.
void expansion(benchmark::State& state, const Kernel& kernel, std::int64_t inputs, std::int64_t channels) {
  const PackedCase packed(kernel, inputs, channels, 1, WeightFormat::int4);
  PackedMatrix expanded;
  for (auto _ : state) {
    packed.weights.expand(packed.weights.all_blocks(), expanded);
    benchmark::ClobberMemory();
  }
  state.counters["Gweights/s"] =
      benchmark::Counter(packed.macs() * static_cast<double>(state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

void peak(benchmark::State& state, const Kernel& kernel) {
  for (auto _ : state) benchmark::DoNotOptimize(peak_of(kernel));
  state.counters["GMAC/s"] = peak_of(kernel) / 1e9;
}

/// What the elementwise parts work on: one row of one layer.
struct Row {
  static constexpr std::int64_t kUnits = 768, kChannels = 3 * kUnits;
  Row() : acc(kChannels), scales(kChannels), biases(kChannels), values(kChannels), out(kChannels), bytes(kChannels) {
    for (std::int64_t i = 0; i < kChannels; ++i) {
      acc[i] = static_cast<std::int32_t>(i * 7919 % 20011) - 10000;
      scales[i] = 1e-4F;
      biases[i] = 0.1F;
      values[i] = static_cast<float>(i * 104729 % 2003) / 1000.0F - 1.0F;
    }
  }
  AlignedBuffer<std::int32_t> acc;
  AlignedBuffer<float> scales, biases, values, out;
  AlignedBuffer<std::uint8_t> bytes;
};

template <typename Part>
void elementwise(benchmark::State& state, std::int64_t count, Part part) {
  Row row;
  for (auto _ : state) {
    part(row);
    benchmark::ClobberMemory();
  }
  state.counters["Gvalues/s"] =
      benchmark::Counter(static_cast<double>(count * state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

void register_elementwise(const Kernel& k) {
  const auto add = [&](const char* name, std::int64_t count, auto part) {
    benchmark::RegisterBenchmark(fmt::format("{}/{}", k.name, name).c_str(),
                                 [=](benchmark::State& state) { elementwise(state, count, part); });
  };
  const Kernel* kernel = &k;
  add("affine/2304", Row::kChannels, [kernel](Row& r) {
    kernel->affine(r.acc.data(), 0.5F, r.scales.data(), r.biases.data(), Row::kChannels, r.out.data());
  });
  add("day_output/512", 512, [kernel](Row& r) {
    kernel->day_output(r.acc.data(), 0.5F, r.scales.data(), r.biases.data(), r.values.data(), 512, r.out.data());
  });
  add("gates/768", Row::kUnits, [kernel](Row& r) {
    kernel->gates(r.acc.data(), 0.5F, r.scales.data(), r.biases.data(), r.values.data(), Row::kUnits, r.out.data());
  });
  add("absolute_maximum/768", Row::kUnits,
      [kernel](Row& r) { benchmark::DoNotOptimize(kernel->absolute_maximum(r.values.data(), Row::kUnits)); });
  add("quantize/768", Row::kUnits,
      [kernel](Row& r) { kernel->quantize(r.values.data(), 127.0F, Row::kUnits, r.bytes.data()); });
}

}  // namespace

int main(int argc, char** argv) {
  constexpr struct { std::int64_t inputs, channels; } kLayers[] = {{7168, 2304}, {768, 2304}, {512, 512}, {768, 41}};
  for (const Kernel* kernel : supported_kernels()) {
    benchmark::RegisterBenchmark(fmt::format("{}/peak", kernel->name).c_str(),
                                 [=](benchmark::State& state) { peak(state, *kernel); });
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
      for (const auto& layer : kLayers) {
        for (const std::int64_t rows : {1, 2, 4, 8, 16, 32, 64}) {
          benchmark::RegisterBenchmark(
              fmt::format("{}/product/{}/{}x{}/rows:{}", kernel->name, name_of(format), layer.inputs, layer.channels,
                          rows)
                  .c_str(),
              [=](benchmark::State& state) { product(state, *kernel, format, layer.inputs, layer.channels, rows); });
        }
      }
    }
    for (const auto& layer : kLayers) {
      if (kernel->int4.expand == nullptr) continue;
      benchmark::RegisterBenchmark(
          fmt::format("{}/expansion/{}x{}", kernel->name, layer.inputs, layer.channels).c_str(),
          [=](benchmark::State& state) { expansion(state, *kernel, layer.inputs, layer.channels); });
    }
    register_elementwise(*kernel);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
