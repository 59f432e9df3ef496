// Damaged recordings: truncated files and flipped bytes. Each is read in a child process, so that a crash or a hang
// inside libhdf5 is seen as such and ends no other case.
#include <H5public.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <random>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "model/recordings.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kDeadline = 20;  // seconds
// Exit codes that neither a sanitizer nor the C library uses.
constexpr int kPlausible = 40;
constexpr int kRefused = 41;
constexpr int kImplausible = 42;
constexpr int kOtherException = 43;
constexpr int kSignal = 100;  // and the signal's number

bool plausible(const Trial& trial) {
  if (trial.bins < 0 || trial.features.size() != static_cast<std::size_t>(trial.bins * kRecordedFeatures)) return false;
  for (const float value : trial.features) {
    if (!std::isfinite(value)) return false;
  }
  for (const int phoneme : trial.phonemes) {
    if (phoneme < 1 || phoneme > 40) return false;
  }
  return trial.sentence.size() <= (64U << 10);
}

// What became of reading every trial; a refused one does not keep the others from being read.
int read_all(const DatasetOptions& options) {
  int result = kPlausible;
  try {
    Dataset data(recorded_config(), options);
    for (std::size_t i = 0; i < data.size(); ++i) {
      try {
        if (!plausible(data.read(i))) return kImplausible;
      } catch (const Error& error) {
        if (std::string(error.what()).find('\n') != std::string::npos) return kImplausible;
        result = kRefused;
      }
    }
  } catch (const Error&) {
    result = kRefused;
  } catch (...) {
    return kOtherException;
  }
  return result;
}

// The first error that reading every trial ends with; "" if there is none.
std::string first_problem(const DatasetOptions& options) {
  try {
    Dataset data(recorded_config(), options);
    for (std::size_t i = 0; i < data.size(); ++i) data.read(i);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// libhdf5's own clean-up, which a program's end brings about, is part of the case. What it prints goes to
// `printed`.
int in_child(const fs::path& printed, const std::function<int()>& work) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open(printed.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    ::alarm(kDeadline);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const int result = work();
    H5close();
    ::_exit(result);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? kSignal + WTERMSIG(status) : WEXITSTATUS(status);
}

class DamagedFile {
 public:
  DamagedFile(const std::string& session, Split split) : options_(recorded_options(folder_.path(), split)) {
    const DatasetOptions source = recorded_options(recordings("good"), split);
    const std::string file = session + "/data_" + name_of(split) + ".hdf5";
    bytes_ = bytes_of(source.data_dir / file);
    path_ = options_.data_dir / file;
    fs::copy_file(source.csv_path, options_.csv_path);
  }

  const std::string& bytes() const { return bytes_; }

  int outcome(const std::string& damaged) {
    write_bytes(path_, damaged);
    const int outcome = in_child(folder_ / "stderr", [this] { return read_all(options_); });
    if (outcome == kPlausible || outcome == kRefused) {
      EXPECT_EQ(bytes_of(folder_ / "stderr"), "");
    }
    return outcome;
  }

  // What is said of the damaged file, or how reading it ended.
  std::string problem(const std::string& damaged) {
    write_bytes(path_, damaged);
    const fs::path said = folder_ / "said";
    const int outcome = in_child(folder_ / "stderr", [&] {
      write_bytes(said, first_problem(options_));
      return kPlausible;
    });
    return outcome == kPlausible ? bytes_of(said) : "outcome " + std::to_string(outcome);
  }

 private:
  ScratchFolder folder_;
  DatasetOptions options_;
  fs::path path_;
  std::string bytes_;
};

TEST(DamagedRecordings, TheUndamagedFileIsPlausible) {
  DamagedFile file("t15.2023.08.13", Split::val);
  EXPECT_EQ(file.outcome(file.bytes()), kPlausible);
}

TEST(DamagedRecordings, TruncatedFilesAreRefused) {
  DamagedFile file("t15.2023.08.13", Split::val);
  const std::size_t size = file.bytes().size();
  for (const std::size_t kept :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{95}, std::size_t{96},
        std::size_t{800}, size / 4, size / 2, size * 3 / 4, size - 1000, size - 1}) {
    EXPECT_EQ(file.outcome(file.bytes().substr(0, kept)), kRefused) << kept << " of " << size << " bytes";
  }
}

// libhdf5 1.10 itself crashes on some damage to a file's structure, most of it to the heap that holds strings of
// variable length (brainquant/io/hdf5.h says so). Of these small files, which are all structure, up to one flip in
// fifty hits such a place.
bool is_crash(int outcome) {
  return outcome == kSignal + SIGSEGV || outcome == kSignal + SIGABRT || outcome == kSignal + SIGBUS ||
         outcome == 1;  // how AddressSanitizer ends a process
}

// A flipped bit among the features is a plausible number or an error; one in the structure is an error, or makes
// something else that is plausible.
void flip_bits(const std::string& session, Split split, unsigned seed, int flips) {
  DamagedFile file(session, split);
  std::mt19937 random(seed);
  int refused = 0;
  int crashes = 0;
  for (int i = 0; i < flips; ++i) {
    std::string damaged = file.bytes();
    const std::size_t at = random() % damaged.size();
    const unsigned mask = 1U << (random() % 8);
    damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ mask);
    const int outcome = file.outcome(damaged);
    if (is_crash(outcome)) {
      ++crashes;
      continue;
    }
    EXPECT_TRUE(outcome == kPlausible || outcome == kRefused)
        << "byte " << at << " xor " << mask << ": outcome " << outcome;
    if (outcome == kRefused) ++refused;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LE(crashes, flips / 50);
}

TEST(DamagedRecordings, FlippedBits) { flip_bits("t15.2023.08.13", Split::val, 1, 300); }
TEST(DamagedRecordings, FlippedBitsOfOtherTypes) { flip_bits("t15.2023.08.11", Split::val, 2, 300); }
TEST(DamagedRecordings, FlippedBitsWithoutLabels) { flip_bits("t15.2023.08.13", Split::test, 3, 200); }

// An integer's type is stored as class and version, flags, size, and the offset and number of its bits. libhdf5 1.10
// reads beyond the value when they don't fit into it, which ends in a crash.
constexpr std::string_view kInt64 = {"\x10\x08\0\0\x08\0\0\0\0\0\x40\0", 12};

struct DamagedType {
  const char* name;
  int bytes;
  int first_bit;
  int bits;
};

class DamagedIntegerType : public testing::TestWithParam<DamagedType> {};

TEST_P(DamagedIntegerType, IsRefusedByName) {
  DamagedFile file("t15.2023.08.18", Split::val);
  for (const std::string name : {"n_time_steps", "block_num", "trial_num", "seq_len"}) {
    std::string damaged = file.bytes();
    const std::size_t attribute = damaged.find(name + '\0');
    ASSERT_NE(attribute, std::string::npos);
    const std::size_t type = damaged.find(kInt64, attribute);
    ASSERT_LT(type - attribute, 24U);
    const auto put = [&](std::size_t at, int value) {
      damaged[type + at] = static_cast<char>(value % 256);
      damaged[type + at + 1] = static_cast<char>(value / 256);
    };
    put(4, GetParam().bytes);
    put(8, GetParam().first_bit);
    put(10, GetParam().bits);
    const std::string message = file.problem(damaged);
    EXPECT_NE(message.find("t15.2023.08.18/data_val.hdf5: trial_0000/" + name + ": found a damaged type"),
              std::string::npos)
        << message;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, DamagedIntegerType,
                         testing::Values(DamagedType{"no_bits", 8, 0, 0}, DamagedType{"one_bit_too_many", 8, 0, 65},
                                         DamagedType{"off_by_one", 8, 1, 64}, DamagedType{"far_off", 8, 0x7f00, 64},
                                         DamagedType{"far_too_many", 8, 0, 0xffff},
                                         DamagedType{"none_and_far_off", 8, 0xffff, 0},
                                         DamagedType{"far_off_and_many", 8, 0xffff, 0xffff},
                                         DamagedType{"too_few_bytes", 4, 0, 64},
                                         DamagedType{"too_many_bytes", 12, 0, 64}),
                         [](const auto& about) { return std::string(about.param.name); });

}  // namespace
}  // namespace brainquant
