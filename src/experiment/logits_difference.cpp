#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "brainquant/experiment/comparison.h"
#include "brainquant/support/error.h"
#include "io/hdf5_logits.h"
#include "scoring/phonemes.h"

namespace brainquant {

LogitsDifference compare_logits(const std::filesystem::path& reference, const std::filesystem::path& other,
                                const RunContext& context) {
  LogitsFileReader reference_file(reference);
  LogitsFileReader other_file(other);
  if (reference_file.labels() != other_file.labels()) {
    throw FormatError(other.string(), "", "holds other trials than " + reference.string());
  }
  LogitsDifference result;
  double signal = 0;
  double noise = 0;
  std::int64_t agreeing = 0;
  for (const std::string& label : reference_file.labels()) {
    context.cancel.check();
    const StoredLogits a = reference_file.read(label);
    const StoredLogits b = other_file.read(label);
    if (a.steps != b.steps || a.classes != b.classes) {
      throw FormatError(other.string(), label, fmt::format("[{}, {}]", b.steps, b.classes),
                        fmt::format("[{}, {}]", a.steps, a.classes));
    }
    for (std::size_t i = 0; i < a.values.size(); ++i) {
      const double lost = static_cast<double>(a.values[i]) - static_cast<double>(b.values[i]);
      signal += static_cast<double>(a.values[i]) * static_cast<double>(a.values[i]);
      noise += lost * lost;
    }
    const std::vector<int> best_a = argmax_classes({a.values.data(), a.steps, a.classes});
    const std::vector<int> best_b = argmax_classes({b.values.data(), b.steps, b.classes});
    for (std::size_t step = 0; step < best_a.size(); ++step) agreeing += best_a[step] == best_b[step];
    result.steps += a.steps;
  }
  result.sqnr_db = noise > 0 ? 10.0 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
  result.agreement_percent =
      result.steps > 0 ? 100.0 * static_cast<double>(agreeing) / static_cast<double>(result.steps) : 0.0;
  return result;
}

}  // namespace brainquant
