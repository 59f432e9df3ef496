#include "experiment/finished_work.h"

#include <nlohmann/json.hpp>

#include "brainquant/support/error.h"
#include "evaluation/json_values.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char* kSchema = "brainquant/finished_work";
constexpr int kVersion = 1;
constexpr std::size_t kMostBytes = std::size_t{1} << 24;

}  // namespace

std::string recorded_model_path(const fs::path& model, const fs::path& output_dir) {
  std::error_code ignored;
  fs::path canonical = fs::weakly_canonical(model, ignored);
  const fs::path folder = fs::weakly_canonical(output_dir, ignored);
  if (canonical.empty()) canonical = model;
  // MODEL and MODEL/checkpoint are the same model.
  if (canonical.filename() == "checkpoint" && !fs::exists(canonical / "checkpoint", ignored)) {
    canonical = canonical.parent_path();
  }
  const fs::path below = canonical.lexically_relative(folder);
  return below.empty() || *below.begin() == ".." ? canonical.string() : below.string();
}

std::optional<FinishedWork> read_finished_work(const fs::path& path) {
  try {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return {};
    const ordered_json json = ordered_json::parse(read_file(path, kMostBytes));
    if (json.value("schema", "") != kSchema || json.value("schema_version", 0) != kVersion) return {};
    FinishedWork work;
    json.at("model_path").get_to(work.model_path);
    if (!json.at("key").is_null()) work.key = run_key_of(json.at("key"));
    json.at("files").get_to(work.files);
    json.at("quantize_peak_memory_bytes").get_to(work.quantize_peak_memory_bytes);
    json.at("quantize_seconds").get_to(work.quantize_seconds);
    return work;
  } catch (const ordered_json::exception&) {
    return {};
  } catch (const FormatError&) {
    return {};
  }
}

void write_finished_work(const FinishedWork& work, const fs::path& path) {
  const ordered_json json = {{"schema", kSchema},
                             {"schema_version", kVersion},
                             {"model_path", work.model_path},
                             {"key", work.key ? json_of(*work.key) : ordered_json(nullptr)},
                             {"files", work.files},
                             {"quantize_peak_memory_bytes", work.quantize_peak_memory_bytes},
                             {"quantize_seconds", work.quantize_seconds}};
  write_file_atomically(path, json_text(json));
}

}  // namespace brainquant
