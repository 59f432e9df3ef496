#include "experiment/bits_budget_json.h"

#include <fmt/format.h>

#include <optional>

#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/support/error.h"
#include "experiment/rate_difference_json.h"
#include "support/atomic_file.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

constexpr const char* kSchema = "brainquant/bits_budget";
constexpr const char* kCheckpointField = "checkpoint_sha256";
constexpr std::size_t kMostBytes = std::size_t{1} << 26;

}  // namespace

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, MatrixCost>& cost) {
  fields("matrix", cost.matrix);
  fields("bytes_saved", cost.bytes_saved);
  fields("noise", cost.noise);
  fields.derived("noise_per_byte", cost.per_byte());
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, BudgetStep>& step) {
  fields("matrices_in_4_bits", step.matrices_in_4_bits);
  fields("bytes", step.bytes);
  fields("per", step.per);
  fields("per_difference", step.per_difference);
  fields("wer", step.wer);
  fields("wer_difference", step.wer_difference);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, BitsMeasurements>& measured) {
  fields("trials", measured.trials);
  fields.text_or_null("language_model", measured.language_model);
  fields("fp32_per", measured.fp32_per);
  fields("fp32_wer", measured.fp32_wer);
  fields("costs", measured.costs);
  fields("steps", measured.steps);
}

namespace {

/// The record in `path`; nothing for a file that is none.
std::optional<ordered_json> read_record(const std::filesystem::path& path) {
  try {
    ordered_json json = ordered_json::parse(read_file(path, kMostBytes));
    if (json.value("schema", "") != kSchema || json.value("schema_version", 0) != kResultsSchemaVersion) return {};
    return json;
  } catch (const ordered_json::exception&) {
    return {};
  } catch (const FormatError&) {  // too long
    return {};
  }
}

}  // namespace

BitsMeasurements read_bits_record(const std::filesystem::path& path, const RunKey& key, bool replace,
                                  const RunContext& context) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  const auto refuse = [&](const std::string& what) {
    if (replace) return;
    throw FileError(path.string(), fmt::format("already exists and {}; --force replaces it", what));
  };
  const std::optional<ordered_json> json = read_record(path);
  try {
    if (json) {
      const RunKey recorded = run_key_of(json->at("key"));
      const std::optional<std::string> difference = key.difference(recorded);
      if (!difference) return struct_of_json<BitsMeasurements>(json->at("measured"));
      if (recorded.value(kCheckpointField) != key.value(kCheckpointField)) {
        refuse("holds another checkpoint's search for bits");
      }
      context.log.info(fmt::format("{}: not the same search: {}; measuring anew", path.string(), *difference));
      return {};
    }
  } catch (const ordered_json::exception&) {
    // no record after all
  }
  refuse("is no record of a search for bits");
  return {};
}

static ordered_json json_of(const BitsChoice& choice) {
  ordered_json order = ordered_json::array();
  for (const MatrixCost& cost : choice.costs) order.push_back(cost.matrix);
  return {{"max_per_increase", json_of_field(choice.budget.max_per_increase)},
          {"max_wer_increase", json_of_field(choice.budget.max_wer_increase)},
          {"order", order},
          {"taken", json_of_fields(choice.taken())},
          {"within_budget", choice.taken().within_budget},
          {"trials_that_would_tell", json_of_field(choice.trials_that_would_tell())},
          {"bits", choice.bits}};
}

void write_bits_record(const std::filesystem::path& path, const RunKey& key, const BitsMeasurements& measured,
                       const BitsChoice* choice) {
  const ordered_json json = {{"schema", kSchema},
                             {"schema_version", kResultsSchemaVersion},
                             {"key", json_of(key)},
                             {"measured", json_of_fields(measured)},
                             {"choice", choice == nullptr ? ordered_json(nullptr) : json_of(*choice)}};
  write_file_atomically(path, json_text(json));
}

}  // namespace brainquant
