// The data set against files that h5py wrote (tests/fixtures/recordings.py).
#include "model/dataset.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "model/recordings.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

TEST(Dataset, OrderAndLabels) {
  Dataset data(recorded_config(), recorded_options(recordings("good")));
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < data.size(); ++i) labels.push_back(data.label(i));
  EXPECT_EQ(labels, (std::vector<std::string>{"t15.2023.08.13/trial_0000", "t15.2023.08.13/trial_0001",
                                              "t15.2023.08.13/trial_0002", "t15.2023.08.13/trial_0003",
                                              "t15.2023.08.11/trial_0000", "t15.2023.08.11/trial_0001",
                                              "t15.2023.08.11/trial_0002", "t15.2023.08.18/trial_0000"}));
  EXPECT_EQ(data.session_index(3), 0);
  EXPECT_EQ(data.session_index(4), 1);
  EXPECT_EQ(data.session_index(7), 3);
  EXPECT_EQ(data.bins(7), 14);  // out of order, so that files are opened and closed
  EXPECT_EQ(data.bins(0), 33);
  EXPECT_EQ(data.bins(6), 0);
  EXPECT_EQ(data.features_per_bin(), 4);
}

// Each trial has other types: floats of 16, 32 and 64 bits, integers of either byte order, compression, checksums,
// strings of fixed and variable length, integers of 8 to 64 bits.
TEST(Dataset, ReadsEveryVarietyOfTypes) {
  Dataset data(recorded_config(), recorded_options(recordings("good")));
  const std::vector<std::int64_t> bins{33, 20, 21, 5, 12, 9, 0, 14};
  const std::vector<std::int64_t> numbers{3, 4, 5, 6, 0, 1, 2, 7};
  const std::vector<std::vector<int>> phonemes{{2, 3}, {4}, {4, 4}, {4, 4}, {1, 39, 40}, {5, 5, 5, 5, 5, 5, 5},
                                               {},     {9}};
  for (std::size_t i = 0; i < data.size(); ++i) {
    SCOPED_TRACE(data.label(i));
    const Trial trial = data.read(i);
    EXPECT_EQ(trial.index, i);
    EXPECT_EQ(trial.session + "/" + trial.name, data.label(i));
    EXPECT_EQ(trial.session_index, data.session_index(i));
    EXPECT_EQ(trial.bins, bins[i]);
    EXPECT_EQ(trial.trial_num, numbers[i]);
    EXPECT_EQ(trial.block, i == 1 ? 5 : 2);
    EXPECT_EQ(trial.phonemes, phonemes[i]);
    EXPECT_EQ(trial.sentence, i == 1 ? "na\xc3\xafve caf\xc3\xa9" : "hello there");
    std::vector<float> expected = recorded_features(bins[i], numbers[i]);
    if (i == 2) {  // stored as integers
      for (float& value : expected) value = std::nearbyint(value);
    }
    EXPECT_EQ(trial.features, expected);
  }
  EXPECT_EQ(data.read(0).corpus, "Switchboard, part 1");
  EXPECT_EQ(data.read(1).corpus, "Switchboard");
  EXPECT_EQ(data.read(4).corpus, "50-Word");
  EXPECT_EQ(data.read(7).corpus, "Random");
}

TEST(Dataset, TestSplitHasNoLabels) {
  Dataset data(recorded_config(), recorded_options(recordings("good"), Split::test));
  ASSERT_EQ(data.size(), 1U);
  const Trial trial = data.read(0);
  EXPECT_TRUE(trial.phonemes.empty());
  EXPECT_EQ(trial.sentence, "");
  EXPECT_EQ(trial.corpus, "Switchboard, part 1");
  EXPECT_EQ(trial.features, recorded_features(15, 8));
}

TEST(Dataset, TrainSplitNeedsNoCsv) {
  DatasetOptions options = recorded_options(recordings("good"), Split::train);
  options.csv_path = "/nonexistent.csv";
  Dataset data(recorded_config(), options);
  const Trial trial = data.read(0);
  EXPECT_EQ(trial.corpus, "");
  EXPECT_EQ(trial.block, 77);
  EXPECT_EQ(trial.phonemes, std::vector<int>{1});
}

TEST(Dataset, SaysWhatItSkips) {
  KeptLog log;
  Progress progress;
  CancelToken cancel;
  const fs::path folder = recordings("good");
  Dataset data(recorded_config(), recorded_options(folder), RunContext(log, progress, cancel));
  EXPECT_EQ(log.infos,
            std::vector<std::string>{"1 of 4 sessions have no data_val.hdf5 and are skipped: t15.2023.09.01"});
  ASSERT_EQ(log.warnings.size(), 2U);
  EXPECT_EQ(log.warnings[0],
            (folder / "data").string() +
                ": 2 folders that the model's args.yaml does not name are ignored: notes, t15.2024.05.05");
  EXPECT_EQ(log.warnings[1],
            (folder / "data/t15.2023.08.13/data_val.hdf5").string() + ": ignored, not named trial_*: notes");
}

TEST(Dataset, SessionsAndMaxTrials) {
  DatasetOptions options = recorded_options(recordings("good"));
  options.sessions = {"t15.2023.08.18", "t15.2023.08.11"};
  EXPECT_EQ(Dataset(recorded_config(), options).size(), 4U);
  EXPECT_EQ(Dataset(recorded_config(), options).label(3), "t15.2023.08.18/trial_0000");
  options.max_trials = 2;
  Dataset two(recorded_config(), options);
  EXPECT_EQ(two.size(), 2U);
  EXPECT_EQ(two.label(1), "t15.2023.08.11/trial_0001");
  options.max_trials = 100;
  EXPECT_EQ(Dataset(recorded_config(), options).size(), 4U);
  options.max_trials = 0;
  EXPECT_THROW(Dataset(recorded_config(), options), UsageError);
  options = recorded_options(recordings("good"));
  options.sessions = {"t15.2022.01.01"};
  EXPECT_THROW(Dataset(recorded_config(), options), FormatError);
  options.sessions = {"t15.2023.09.01"};  // the model has it, the data have not
  EXPECT_THROW(Dataset(recorded_config(), options), FormatError);
}

TEST(Dataset, MissingFiles) {
  DatasetOptions options = recorded_options(recordings("good"));
  options.csv_path = "/nonexistent.csv";
  EXPECT_THROW(Dataset(recorded_config(), options), FileError);
  options = recorded_options("/nonexistent");
  EXPECT_THROW(Dataset(recorded_config(), options), FileError);
  options = recorded_options(recordings("good"));
  options.data_dir = options.csv_path;
  EXPECT_THROW(Dataset(recorded_config(), options), FileError);
}

TEST(Dataset, FingerprintFollowsTheData) {
  const ScratchFolder folder;
  fs::copy(recordings("good"), folder.path(), fs::copy_options::recursive);
  const DatasetOptions options = recorded_options(folder.path());
  const auto fingerprint = [&](const DatasetOptions& chosen) {
    return Dataset(recorded_config(), chosen).fingerprint();
  };
  const std::string first = fingerprint(options);
  EXPECT_EQ(fingerprint(options), first);
  EXPECT_EQ(first.find(folder.path().string()), std::string::npos)
      << "absolute paths would end every resumption after a move";
  EXPECT_NE(first.find("t15.2023.08.11/data_val.hdf5"), std::string::npos);

  DatasetOptions fewer = options;
  fewer.max_trials = 2;
  EXPECT_NE(fingerprint(fewer), first);
  fewer = options;
  fewer.sessions = {"t15.2023.08.11"};
  EXPECT_NE(fingerprint(fewer), first);
  EXPECT_NE(fingerprint(recorded_options(folder.path(), Split::test)), first);

  const fs::path file = options.data_dir / "t15.2023.08.18/data_val.hdf5";
  const auto written = fs::last_write_time(file);
  fs::last_write_time(file, written + std::chrono::milliseconds(5));
  EXPECT_NE(fingerprint(options), first);
  fs::last_write_time(file, written);
  EXPECT_EQ(fingerprint(options), first);
  std::ofstream(options.csv_path, std::ios::app) << "\r\n";
  EXPECT_NE(fingerprint(options), first);
}

TEST(Dataset, CsvFaults) {
  const ScratchFolder folder;
  fs::copy(recordings("good"), folder.path(), fs::copy_options::recursive);
  const DatasetOptions options = recorded_options(folder.path());
  const auto problem = [&](const std::string& text) -> std::string {
    write_bytes(options.csv_path, text);
    try {
      Dataset(recorded_config(), options).read(0);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "none";
  };
  const std::string csv = options.csv_path.string();
  EXPECT_EQ(problem("Date,Block number\n2023-08-13,2\n"), csv + ": header: no column 'Corpus'");
  EXPECT_EQ(problem("Date,Block number,Corpus\n2023-08-13,two,x\n"),
            csv + ": line 2, Block number: found 'two', expected an integer");
  EXPECT_EQ(problem("Date,Block number,Corpus\n2023-08-13,3,x\n2023-08-12,2,x\n"),
            csv + ": no row with Date 2023-08-13 and Block number 2, which t15.2023.08.13/trial_0000 has");
  EXPECT_EQ(problem("Date,Block number,Corpus\n2023-08-13,2,x\n"), "none");
  EXPECT_EQ(problem("Date,Block number,Corpus\n2023-08-13,2,x\n2023-08-13,2,x\n2023-08-13,3,y\n"), "none");
  EXPECT_EQ(problem("Date,Block number,Corpus\n2023-08-13,2,x\n2023-08-13,3,y\n2023-08-13,2,y\n"),
            csv +
                ": line 4, Corpus: found 'y', expected 'x', which line 2 says of the same Date 2023-08-13 and Block "
                "number 2");
  EXPECT_EQ(problem("Date,Block number,Corpus\n2023-08-13,2,x\n2023-08-14,2,\"a\tb\nc\"\n"), "none");
  EXPECT_EQ(problem("Date,Notes,Block number,Corpus\n2023-08-13,\x01,2,x\n"), "none") << "a column that isn't used";
  for (const auto& [text, place] :
       {std::pair("2023-08-13,2,a\x1b[2J", "line 3, Corpus: found the control byte 0x1b, expected text"),
        std::pair("2023-08-13\x01,2,a", "line 3, Date: found the control byte 0x01, expected text"),
        std::pair("2023-08-13,2\x7f,a", "line 3, Block number: found the control byte 0x7f, expected text")}) {
    EXPECT_EQ(problem(std::string("Date,Block number,Corpus\n2023-08-14,2,x\n") + text + "\n"), csv + ": " + place);
  }
  EXPECT_EQ(problem(std::string("Date,Block number,Corpus\n2023-08-13,2,x\0y\n", 42)),
            csv + ": line 2, Corpus: found the control byte 0x00, expected text");
}

struct BrokenCase {
  const char* folder;
  const char* message;  // after the file's name
};

class BrokenDataset : public testing::TestWithParam<BrokenCase> {};

TEST_P(BrokenDataset, NamesFileAndTrial) {
  const fs::path folder = recordings("broken") / GetParam().folder;
  const std::string file = (folder / "data/t15.2023.08.11/data_val.hdf5").string();
  try {
    Dataset data(recorded_config(), recorded_options(folder));
    ASSERT_EQ(data.size(), 1U);
    data.read(0);
    FAIL() << "read without an error";
  } catch (const FormatError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    const std::size_t at = message.find(GetParam().message);
    EXPECT_NE(at, std::string::npos) << message;
    if (std::string(GetParam().folder) != "block_unknown" && std::string(GetParam().folder) != "no_trials") {
      EXPECT_EQ(message.find(file), 0U) << message;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Broken, BrokenDataset,
    testing::Values(
        BrokenCase{"nan", ": trial_0000/input_features, bin 6, feature 3: found nan"},
        BrokenCase{"infinity", ": trial_0000/input_features, bin 0, feature 1: found -inf"},
        BrokenCase{"large",
                   ": trial_0000/input_features, bin 3, feature 1: found -1.0001e+30, expected a magnitude of at most "
                   "1e30"},
        BrokenCase{"double_overflow", ": trial_0000/input_features, bin 0, feature 0: found inf"},
        BrokenCase{"steps_disagree", ": trial_0000/n_time_steps: found 9, expected 8"},
        BrokenCase{"five_features", ": trial_0000/input_features: found shape [8, 5], expected [T, 4]"},
        BrokenCase{"one_dimension", ": trial_0000/input_features: found shape [8], expected [T, 4]"},
        BrokenCase{"scalar_features", ": trial_0000/input_features: found shape []"},
        BrokenCase{"text_features",
                   ": trial_0000/input_features: found values of another type, expected floats or integers"},
        BrokenCase{"no_features", ": trial_0000/input_features: missing"},
        BrokenCase{"features_group", ": trial_0000/input_features: "},
        BrokenCase{"external_link", ": trial_0000/input_features: a link to somewhere else"},
        BrokenCase{"external_storage", ": trial_0000/input_features: its values lie in another file"},
        BrokenCase{"virtual", ": trial_0000/input_features: its values lie in another file"},
        BrokenCase{"dangling_link", ": trial_0000/input_features: a link to somewhere else"},
        BrokenCase{"huge",
                   ": trial_0000/input_features: found shape [2000000000, 4], expected [T, 4] with T at most 1000000"},
        BrokenCase{"large_unwritten", ": trial_0000/input_features: the file does not hold all of its values"},
        BrokenCase{"unwritten", ": trial_0000/input_features: the file does not hold all of its values"},
        BrokenCase{"other_session", ": trial_0000/session: found 't15.2023.08.13', expected 't15.2023.08.11'"},
        BrokenCase{"session_number", ": trial_0000/session: found an attribute of another type, expected a string"},
        BrokenCase{"session_list", ": trial_0000/session: found an attribute of shape [2], expected one value"},
        BrokenCase{"block_text", ": trial_0000/block_num: found an attribute of another type, expected an integer"},
        BrokenCase{"block_float", ": trial_0000/block_num: found an attribute of another type, expected an integer"},
        BrokenCase{"block_unknown",
                   ".csv: no row with Date 2023-08-11 and Block number 3, which t15.2023.08.11/trial_0000 has"},
        BrokenCase{"empty_attribute", ": trial_0000/block_num: "},
        BrokenCase{"seq_len_large", ": trial_0000/seq_len: found 501, expected 0 to 500"},
        BrokenCase{"seq_len_negative", ": trial_0000/seq_len: found -1, expected 0 to 500"},
        BrokenCase{"label_zero", ": trial_0000/seq_class_ids, label 1: found 0, expected 1 to 40"},
        BrokenCase{"label_41", ": trial_0000/seq_class_ids, label 2: found 41, expected 1 to 40"},
        BrokenCase{"label_negative", ": trial_0000/seq_class_ids, label 0: found -3, expected 1 to 40"},
        BrokenCase{"label_float", ": trial_0000/seq_class_ids: found values of another type, expected integers"},
        BrokenCase{"labels_square", ": trial_0000/seq_class_ids: found shape [20, 25], expected one dimension"},
        BrokenCase{"no_labels", ": trial_0000/seq_class_ids: missing"},
        BrokenCase{"no_n_time_steps", ": trial_0000/n_time_steps: missing attribute"},
        BrokenCase{"no_session", ": trial_0000/session: missing attribute"},
        BrokenCase{"no_block_num", ": trial_0000/block_num: missing attribute"},
        BrokenCase{"no_trial_num", ": trial_0000/trial_num: missing attribute"},
        BrokenCase{"no_seq_len", ": trial_0000/seq_len: missing attribute"},
        BrokenCase{"no_sentence_label", ": trial_0000/sentence_label: missing attribute"},
        BrokenCase{"trial_is_data", ": trial_0000: "},
        BrokenCase{"no_trials", ": no trials in the 1 data_val.hdf5 files"},
        BrokenCase{"not_hdf5", ": libhdf5 refuses it (file signature not found)"}),
    [](const auto& about) { return std::string(about.param.folder); });

}  // namespace
}  // namespace brainquant
