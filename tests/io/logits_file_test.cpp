// Files of logits, read back by h5py (tests/fixtures/check_logits_file.py) as well as by the library.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "brainquant/support/error.h"
#include "io/hdf5_logits.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kClasses = 41;

std::vector<float> logits_of(std::int64_t steps, float first) {
  std::vector<float> values(static_cast<std::size_t>(steps * kClasses));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i % 8) * 0.25F;
  return values;
}

void add(LogitsFileWriter& file, const std::string& session, int trial, const std::vector<float>& values) {
  const auto steps = static_cast<std::int64_t>(values.size()) / kClasses;
  file.write({{session, (trial < 10 ? "trial_000" : "trial_0") + std::to_string(trial)},
              4,
              trial,
              steps,
              kClasses,
              values.data()});
}

std::string seen_by_h5py(const fs::path& path) {
  const std::string script = std::string(BRAINQUANT_SOURCE) + "/tests/fixtures/check_logits_file.py";
  const std::string command = std::string(BRAINQUANT_PYTHON) + " '" + script + "' '" + path.string() + "' 2>&1";
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  char buffer[4096];
  for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  EXPECT_EQ(::pclose(pipe), 0) << text;
  return text;
}

// Runs `work` in a child, which then dies without closing anything; returns its exit code or 100 and the signal.
int in_dying_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(LogitsFile, IsWhatH5pyReads) {
  const ScratchFolder folder;
  const fs::path path = folder / "logits.hdf5";
  {
    LogitsFileWriter file(path);
    EXPECT_FALSE(file.has({"t15.2023.08.13", "trial_0001"}));
    add(file, "t15.2023.08.13", 1, logits_of(3, -2.0F));
    add(file, "t15.2023.08.11", 0, {});
    EXPECT_TRUE(file.has({"t15.2023.08.13", "trial_0001"}));
    EXPECT_FALSE(file.has({"t15.2023.08.13", "trial_0000"}));
  }
  // 123 values: 15 rounds of 8 that sum to -9 each (8 * -2 + 0.25 * 28), then -2, -1.75, -1.5.
  EXPECT_EQ(seen_by_h5py(path),
            "t15.2023.08.11/trial_0000 0 41 float32 t15.2023.08.11 4 0 0.0\n"
            "t15.2023.08.13/trial_0001 3 41 float32 t15.2023.08.13 4 1 -140.25\n");
}

TEST(LogitsFile, GoesOnAndReadsBack) {
  const ScratchFolder folder;
  const fs::path path = folder / "logits.hdf5";
  {
    LogitsFileWriter file(path);
    add(file, "b", 2, logits_of(2, 1.0F));
    file.flush();
    add(file, "a", 1, logits_of(1, 2.0F));
  }
  {
    LogitsFileWriter file(path);
    EXPECT_TRUE(file.has({"a", "trial_0001"}));
    add(file, "a", 0, logits_of(0, 0.0F));
    add(file, "b", 2, logits_of(5, 3.0F));  // replaces
  }
  LogitsFileReader reader(path);
  EXPECT_EQ(reader.labels(), (std::vector<std::string>{"a/trial_0000", "a/trial_0001", "b/trial_0002"}));
  const StoredLogits empty = reader.read("a/trial_0000");
  EXPECT_EQ(empty.steps, 0);
  EXPECT_EQ(empty.classes, kClasses);
  EXPECT_TRUE(empty.values.empty());
  EXPECT_EQ(reader.read("a/trial_0001").values, logits_of(1, 2.0F));
  EXPECT_EQ(reader.read("b/trial_0002").steps, 5);
  EXPECT_EQ(reader.read("b/trial_0002").values, logits_of(5, 3.0F));
  EXPECT_THROW(reader.read("b/trial_0003"), FormatError);
  EXPECT_THROW(reader.read("c/trial_0003"), FormatError);
  EXPECT_THROW(reader.read("trial_0003"), FormatError);
}

TEST(LogitsFile, WhatWasFlushedOutlivesACrash) {
  const ScratchFolder folder;
  const fs::path path = folder / "logits.hdf5";
  ASSERT_EQ(in_dying_child([&] {
              auto* file = new LogitsFileWriter(path);
              add(*file, "a", 0, logits_of(4, 1.0F));
              file->flush();
              return 7;
            }),
            7);
  EXPECT_EQ(LogitsFileReader(path).read("a/trial_0000").values, logits_of(4, 1.0F));
  LogitsFileWriter goes_on(path);
  add(goes_on, "a", 1, logits_of(4, 2.0F));
}

TEST(LogitsFile, OneWhoseWriterDiedWhileAddingIsRefused) {
  const ScratchFolder folder;
  const fs::path path = folder / "logits.hdf5";
  ASSERT_EQ(in_dying_child([&] {
              auto* file = new LogitsFileWriter(path);
              add(*file, "a", 0, logits_of(4, 1.0F));
              file->flush();
              add(*file, "a", 1, logits_of(4, 2.0F));
              return 7;
            }),
            7);
  EXPECT_THROW(LogitsFileWriter{path}, FormatError);
  EXPECT_THROW(LogitsFileReader{path}, FormatError);
}

TEST(LogitsFile, OtherFilesAreRefused) {
  const ScratchFolder folder;
  EXPECT_THROW(LogitsFileReader{folder / "none.hdf5"}, FileError);
  EXPECT_THROW(LogitsFileWriter{folder / "no_folder/logits.hdf5"}, FileError);
  EXPECT_THROW(LogitsFileWriter{folder.path()}, FileError);
  write_bytes(folder / "text.hdf5", "not HDF5");
  EXPECT_THROW(LogitsFileWriter{folder / "text.hdf5"}, FormatError);
  EXPECT_THROW(LogitsFileReader{folder / "text.hdf5"}, FormatError);
  EXPECT_EQ(bytes_of(folder / "text.hdf5"), "not HDF5");

  const fs::path path = folder / "logits.hdf5";
  {
    LogitsFileWriter file(path);
    add(file, "a", 0, logits_of(100, 1.0F));
  }
  const std::string whole = bytes_of(path);
  EXPECT_LT(whole.size(), 40'000U);  // 16,400 bytes of logits: what was claimed and not needed is given back
  for (const std::size_t kept : {std::size_t{0}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(path, whole.substr(0, kept));
    EXPECT_THROW(LogitsFileWriter{path}, FormatError) << kept;
    EXPECT_THROW(LogitsFileReader{path}, FormatError) << kept;
  }
}

// A limit on the size of files stands in for a full disk: the system refuses the write in the same way. The child ends
// normally, so that libhdf5's own clean-up at exit is part of the case.
int write_until_refused(const fs::path& path, rlim_t most_bytes) {
  return in_dying_child([&] {
    ::alarm(30);
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{most_bytes, most_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int code = 1;
    try {
      LogitsFileWriter file(path);
      for (int i = 0; i < 200; ++i) {
        add(file, "a", i, logits_of(100, 1.0F));
        if (i % 7 == 0) file.flush();
      }
    } catch (const FileError& error) {
      code = std::string(error.what()).find(path.string()) == 0 ? 5 : 2;
    }
    std::exit(code);
    return 0;
  });
}

TEST(LogitsFile, AFullDiskKeepsWhatWasWritten) {
  const ScratchFolder folder;
  const fs::path path = folder / "logits.hdf5";
  ASSERT_EQ(write_until_refused(path, 700'000), 5);
  LogitsFileReader reader(path);
  ASSERT_GT(reader.labels().size(), 10U);
  ASSERT_LT(reader.labels().size(), 50U);
  for (const std::string& label : reader.labels()) EXPECT_EQ(reader.read(label).values, logits_of(100, 1.0F)) << label;
}

TEST(LogitsFile, ADiskThatIsFullFromTheStartIsLeftAlone) {
  const ScratchFolder folder;
  const fs::path path = folder / "logits.hdf5";
  ASSERT_EQ(write_until_refused(path, 10'000), 5);
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace brainquant
