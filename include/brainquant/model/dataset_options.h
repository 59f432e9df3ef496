// Which recordings are read, and which of their trials.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "brainquant/support/enum_names.h"
#include "brainquant/support/option_list.h"

namespace brainquant {

enum class Split { train, val, test };
const char* name_of(Split split);  // "train", "val", "test"
/// The splits that --eval_type takes: "val" and "test".
template <>
std::span<const EnumName<Split>> enum_names();

struct DatasetOptions {
  std::filesystem::path data_dir = "./data/hdf5_data_final";
  std::filesystem::path csv_path = "./data/t15_copyTaskData_description.csv";
  Split split = Split::val;
  std::vector<std::string> sessions;       // only these; empty: all that the model has
  std::optional<std::int64_t> max_trials;  // only the first N, for testing

  bool leaves_trials_out() const { return !sessions.empty() || max_trials.has_value(); }
  /// The whole train split of the same data, whichever trials are to be evaluated.
  DatasetOptions train_split() const;
};

/// --data_dir and --csv_path; they refer to `options`.
OptionList list_data_options(DatasetOptions& options);
/// --eval_type, --sessions and --max_trials, likewise.
OptionList list_selection_options(DatasetOptions& options);

}  // namespace brainquant
