#include "brainquant/reporting/quantize_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "brainquant/support/printable.h"
#include "quantization/compression_ratio.h"
#include "reporting/text_table.h"

namespace brainquant {

namespace {

using Align = TextTable::Align;

std::string decibels(double sqnr_db) { return std::isinf(sqnr_db) ? "exact" : fmt::format("{:.1f}", sqnr_db); }

std::string layers_text(const QuantizeOutcome& outcome) {
  TextTable table(
      {{"layer", Align::left}, {"parameters"}, {"bits"}, {"granularity", Align::left}, {"bytes"}, {"SQNR dB"}});
  for (const TensorReport& tensor : outcome.tensors) {
    table.add_row({tensor.name, std::to_string(tensor.parameters), std::to_string(tensor.bits), tensor.granularity,
                   std::to_string(tensor.bytes), decibels(tensor.sqnr_db)});
  }
  return table.text();
}

std::string stored_text(const QuantizeOutcome& outcome) {
  TextTable table({{"tensor of the file", Align::left}, {"dtype", Align::left}, {"shape", Align::left}, {"bytes"}});
  for (const StoredTensor& tensor : outcome.stored) {
    table.add_row(
        {tensor.name, tensor.dtype, fmt::format("[{}]", fmt::join(tensor.shape, ", ")), std::to_string(tensor.bytes)});
  }
  return table.text();
}

}  // namespace

std::string quantize_text(const QuantizeJob& job, const QuantizeOutcome& outcome) {
  const std::string method = job.options.method_name();
  const std::string output = job.output_path.string();
  if (outcome.skipped) {
    return fmt::format("{}: {} was made from the same checkpoint with the same options already ({} bytes); skipped\n",
                       method, output, outcome.output_bytes);
  }
  std::string text = layers_text(outcome) + "\n";
  if (job.dry_run) text += stored_text(outcome) + "\n";
  if (outcome.calibration_trials > 0) text += fmt::format("calibrated with {} trials\n", outcome.calibration_trials);
  text += fmt::format("before: {} bytes of fp32 parameters (checkpoint file: {} bytes)\n", outcome.fp32_bytes,
                      outcome.checkpoint_bytes);
  text += fmt::format("{}: {} bytes{}, {:.1f} % of fp32, compression ratio {:.2f}x\n",
                      job.dry_run ? "dry run, after" : "after", outcome.output_bytes,
                      job.dry_run ? " of tensors" : " on disk",
                      100.0 * static_cast<double>(outcome.output_bytes) / static_cast<double>(outcome.fp32_bytes),
                      compression_ratio(outcome.fp32_bytes, outcome.output_bytes));
  if (!job.dry_run) text += fmt::format("{}: {}\n", method, output);
  return text;
}

std::string add_session_text(const AddSessionJob& job, const AddSessionOutcome& outcome) {
  const std::string kept = std::isinf(outcome.sqnr_db) ? "exact" : fmt::format("SQNR {:.1f} dB", outcome.sqnr_db);
  std::string text =
      fmt::format("{} {} as {}, {}\n", job.session, job.replace ? "replaced" : "added", outcome.tensor, kept);
  if (outcome.clipping) {
    text += fmt::format("the scale that all days share clips {:.4f} % of the values of {} train trials\n",
                        outcome.clipping->percent(), outcome.clipping->trials);
  } else if (outcome.is_static) {
    text += fmt::format("how much the scale that all days share clips was not measured: {}\n",
                        printable(outcome.not_measured));
  }
  text +=
      fmt::format("after: {} bytes on disk\n{}: {}\n", outcome.output_bytes, outcome.method, job.output_path.string());
  return text;
}

}  // namespace brainquant
