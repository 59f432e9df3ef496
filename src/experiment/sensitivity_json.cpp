#include "experiment/sensitivity_json.h"

#include <algorithm>
#include <utility>

#include "brainquant/support/error.h"
#include "experiment/rate_difference_json.h"
#include "support/atomic_file.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

constexpr const char* kSchema = "brainquant/sensitivity_state";
constexpr int kVersion = 1;
constexpr std::size_t kMostBytes = std::size_t{1} << 26;

bool is_same(const SensitivityCase& a, const SensitivityCase& b) {
  return a.matrix == b.matrix && a.bits == b.bits && a.part == b.part;
}

}  // namespace

static ordered_json json_of_field(const QuantizedPart& part) { return name_of(part); }

static void read_field(const ordered_json& json, QuantizedPart& part) {
  part = parse_enum<QuantizedPart>("part", json.get<std::string>());
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, SensitivityCase>& one) {
  fields("matrix", one.matrix);
  fields("bits", one.bits);
  fields("part", one.part);
  fields("parameters", one.parameters);
  fields("sqnr_db", one.sqnr_db);
  fields("argmax_agreement_percent", one.agreement_percent);
  fields("per", one.per);
  fields("per_difference", one.per_difference);
  fields("wer", one.wer);
  fields("wer_difference", one.wer_difference);
  fields("layer_sqnr_db", one.layer_sqnr_db);
  fields("step_sqnr_db", one.step_sqnr_db);
}

ordered_json json_of(const SensitivityCase& one) { return json_of_fields(one); }

SensitivityState::SensitivityState(std::filesystem::path path, RunKey key, bool anew)
    : path_(std::move(path)), key_(std::move(key)) {
  std::error_code ignored;
  if (anew || !std::filesystem::exists(path_, ignored)) return;
  try {
    const ordered_json json = ordered_json::parse(read_file(path_, kMostBytes));
    if (json.value("schema", "") != kSchema || json.value("schema_version", 0) != kVersion) return;
    if (key_.difference(run_key_of(json.at("key")))) return;
    for (const ordered_json& one : json.at("cases")) cases_.push_back(struct_of_json<SensitivityCase>(one));
  } catch (const ordered_json::exception&) {
    cases_.clear();
  } catch (const Error&) {
    cases_.clear();
  }
}

const SensitivityCase* SensitivityState::find(const SensitivityCase& one) const {
  const auto found =
      std::find_if(cases_.begin(), cases_.end(), [&](const SensitivityCase& other) { return is_same(one, other); });
  return found == cases_.end() ? nullptr : &*found;
}

void SensitivityState::add(const SensitivityCase& one) {
  cases_.push_back(one);
  ordered_json json = {{"schema", kSchema}, {"schema_version", kVersion}, {"key", json_of(key_)}};
  for (const SensitivityCase& finished : cases_) json["cases"].push_back(json_of_fields(finished));
  write_file_atomically(path_, json_text(json));
}

}  // namespace brainquant
