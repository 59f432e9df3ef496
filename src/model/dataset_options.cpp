#include "brainquant/model/dataset_options.h"

namespace brainquant {

const char* name_of(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::val:
      return "val";
    case Split::test:
      return "test";
  }
  return "unknown";
}

template <>
std::span<const EnumName<Split>> enum_names() {
  static constexpr EnumName<Split> kEvaluated[] = {{Split::val, "val"}, {Split::test, "test"}};
  return kEvaluated;
}

DatasetOptions DatasetOptions::train_split() const {
  DatasetOptions train = *this;
  train.split = Split::train;
  train.sessions.clear();
  train.max_trials.reset();
  return train;
}

OptionList list_data_options(DatasetOptions& options) {
  OptionList list;
  list.add("data_dir", options.data_dir, "Data set: one folder per session, with data_{train,val,test}.hdf5");
  list.add("csv_path", options.csv_path, "CSV that names each block's corpus");
  return list;
}

OptionList list_selection_options(DatasetOptions& options) {
  OptionList list;
  list.add("eval_type", options.split, "Split to decode").that_decides(Decides::decoding);
  list.add("sessions", options.sessions, "For testing: only these sessions (comma-separated)")
      .that_decides(Decides::decoding)
      .with_tag("of_{}");
  list.add("max_trials", options.max_trials, "For testing: only the first N trials")
      .that_decides(Decides::decoding)
      .with_tag("first{}");
  return list;
}

}  // namespace brainquant
