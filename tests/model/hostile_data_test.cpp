// Damaged recordings: truncated files and flipped bytes. Each is read in a child process, so that a crash or a hang
// inside libhdf5 is seen as such and ends no other case.
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

int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kDeadline);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::_exit(work());
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
    return in_child([this] { return read_all(options_); });
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

}  // namespace
}  // namespace brainquant
