// What a user sees on stderr: the line of progress, on a pseudo-terminal and off it, and flags spelt otherwise.
#include "common/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/program.h"
#include "common/command_line.h"
#include "common/progress_line.h"

namespace brainquant::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr ProgressLine::Clock::time_point kStart{seconds(1000)};

TEST(ProgressLine, SpeedAndTimeLeft) {
  ProgressLine line;
  line.update("trials", 0, 200, kStart);
  EXPECT_EQ(line.text(), "trials 0/200");
  line.update("trials", 5, 200, kStart + milliseconds(900));
  EXPECT_EQ(line.text(), "trials 5/200");  // too early for a speed
  line.update("trials", 60, 200, kStart + seconds(5));
  EXPECT_EQ(line.text(), "trials 60/200, 12/s, 0:12 left");  // 140 / 12 = 11.67
  line.update("trials", 80, 200, kStart + seconds(20));
  EXPECT_EQ(line.text(), "trials 80/200, 4.0/s, 0:30 left");
  EXPECT_FALSE(line.finished());
  line.update("trials", 200, 200, kStart + seconds(400));
  EXPECT_EQ(line.text(), "trials 200/200, 2.0 s each");
  EXPECT_TRUE(line.finished());
}

TEST(ProgressLine, HoursAndWhatAnEarlierRunFinished) {
  ProgressLine line;
  line.update("trials", 100, 1000, kStart);
  line.update("trials", 110, 1000, kStart + seconds(50));  // 5 s each, not 0.45
  EXPECT_EQ(line.text(), "trials 110/1000, 5.0 s each, 1:14:10 left");
}

TEST(ProgressLine, AnotherStageCountsAnew) {
  ProgressLine line;
  line.update("trials", 0, 10, kStart);
  line.update("trials", 9, 10, kStart + seconds(90));
  line.update("sentences", 0, 10, kStart + seconds(100));
  EXPECT_EQ(line.text(), "sentences 0/10");
  line.update("sentences", 5, 10, kStart + seconds(110));
  EXPECT_EQ(line.text(), "sentences 5/10, 2.0 s each, 0:10 left");
  line.update("sentences", 0, 10, kStart + seconds(120));  // of the next method
  EXPECT_EQ(line.text(), "sentences 0/10");
}

TEST(ProgressLine, FitsTheTerminal) {
  ProgressLine line;
  line.update("trials", 50, 100, kStart);
  EXPECT_EQ(line.with_bar(80), "[###############...............] trials 50/100");
  EXPECT_EQ(line.with_bar(46), "[###############...............] trials 50/100");
  EXPECT_EQ(line.with_bar(45), "trials 50/100");
  EXPECT_EQ(line.with_bar(6), "trials");
}

/// stderr is a pseudo-terminal as long as this lives, and stdout too if asked for.
class PseudoTerminal {
 public:
  explicit PseudoTerminal(unsigned short columns, bool stdout_too = false)
      : stderr_(::dup(STDERR_FILENO)), stdout_(stdout_too ? ::dup(STDOUT_FILENO) : -1) {
    std::fflush(stdout);
    winsize size{};
    size.ws_col = columns;
    int slave = -1;
    EXPECT_EQ(::openpty(&master_, &slave, nullptr, nullptr, &size), 0);
    ::fcntl(master_, F_SETFL, O_NONBLOCK);
    ::dup2(slave, STDERR_FILENO);
    if (stdout_too) ::dup2(slave, STDOUT_FILENO);
    ::close(slave);
  }
  ~PseudoTerminal() {
    ::dup2(stderr_, STDERR_FILENO);
    ::close(stderr_);
    if (stdout_ >= 0) {
      ::dup2(stdout_, STDOUT_FILENO);
      ::close(stdout_);
    }
    ::close(master_);
  }
  std::string written() const {
    std::string text;
    char some[512];
    for (ssize_t count; (count = ::read(master_, some, sizeof some)) > 0;) {
      text.append(some, static_cast<std::size_t>(count));
    }
    return text;
  }

 private:
  int stderr_;
  int stdout_;
  int master_ = -1;
};

std::string seen_of_progress(Verbosity verbosity, unsigned short columns) {
  const PseudoTerminal screen(columns);
  Terminal terminal("test");
  terminal.set_verbosity(verbosity);
  terminal.update("trials", 50, 100);
  terminal.info("between");
  return screen.written();
}

TEST(Terminal, RedrawsOneLineInPlace) {
  ::unsetenv("CI");
  ::setenv("NO_COLOR", "1", 1);
  const std::string blank(46, ' ');
  EXPECT_EQ(seen_of_progress(Verbosity::normal, 60),
            "[###############...............] trials 50/100\r" + blank + "\rinfo: between\r\n");
  EXPECT_EQ(seen_of_progress(Verbosity::normal, 20).substr(0, 14), "trials 50/100\r");
  EXPECT_EQ(seen_of_progress(Verbosity::quiet, 60), "");
}

TEST(Terminal, ResultsMakeTheLineOfProgressMakeRoom) {
  ::unsetenv("CI");
  const std::string bar = "[###############...............] trials 50/100";
  const std::string gone = "\r" + std::string(46, ' ') + "\r";
  const PseudoTerminal screen(60, true);
  {
    Terminal terminal("test");
    terminal.print("hello\n");
    EXPECT_EQ(screen.written(), "hello\r\n");
    terminal.update("trials", 50, 100);
    EXPECT_EQ(screen.written(), bar);
    terminal.print("hello world\n");
    EXPECT_EQ(screen.written(), gone + "hello world\r\n" + bar);
  }
  EXPECT_EQ(screen.written(), gone);
}

TEST(Terminal, ResultsInAFileLeaveTheLineOfProgressAlone) {
  ::unsetenv("CI");
  const PseudoTerminal screen(60);
  Terminal terminal("test");
  terminal.update("trials", 50, 100);
  ::testing::internal::CaptureStdout();
  terminal.print("hello\n");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "hello\n");
  EXPECT_EQ(screen.written(), "[###############...............] trials 50/100");
}

TEST(Terminal, NoBarWithCiAndNoColourWithNoColor) {
  ::setenv("CI", "true", 1);
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(seen_of_progress(Verbosity::normal, 60), "info: between\r\n");
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "xterm", 1);
  EXPECT_NE(seen_of_progress(Verbosity::normal, 60).find('\x1b'), std::string::npos);
  ::unsetenv("CI");
}

TEST(Flags, AMistypedOneNamesTheNearest) {
  const ScratchFolder scratch;
  const auto error_of = [&](const std::string& flag) {
    const testing::ProgramResult run =
        testing::run_program("quantize_model", {flag, "x", "--output_path", "y"}, scratch.path());
    EXPECT_EQ(run.exit_code, 2) << flag;
    EXPECT_EQ(run.errors().size(), 1U) << run.err;
    return run.err;
  };
  EXPECT_EQ(error_of("--modle_path"), "error: --modle_path: no such flag; did you mean --model_path?\n");
  EXPECT_EQ(error_of("--data-dirr=z"), "error: --data-dirr: no such flag; did you mean --data_dir?\n");
  EXPECT_EQ(error_of("--zebra"), "error: --zebra: no such flag; --help lists them all\n");
}

TEST(Flags, HyphensAreTakenForUnderscores) {
  const ScratchFolder scratch;
  for (const std::vector<std::string>& path :
       {std::vector<std::string>{"--model-path", "no-such_folder"}, {"--model-path=no-such_folder"}}) {
    std::vector<std::string> arguments = path;
    arguments.insert(arguments.end(), {"--output-path", (scratch / "q.pt").string()});
    const testing::ProgramResult run = testing::run_program("quantize_model", arguments, scratch.path());
    EXPECT_EQ(run.exit_code, 1);
    EXPECT_NE(run.err.find("no-such_folder"), std::string::npos) << run.err;  // a value keeps its hyphens
  }
}

// Bash itself reads the line back.
TEST(CommandLine, IsReadBackByAShell) {
  const ScratchFolder scratch;
  const std::filesystem::path odd = scratch / "it's $HOME `x`";
  std::filesystem::create_directories(odd);
  const std::vector<const char*> arguments = {"printf", "%s\\n", "plain-1.5", "", "a b", "it's", "$HOME `id` \"q\" *"};
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(odd);
  const std::string line = command_line(static_cast<int>(arguments.size()), arguments.data());
  std::filesystem::current_path(before);
  const std::filesystem::path out = scratch / "out.txt";
  std::ofstream(scratch / "line.sh") << line << "\npwd\n";
  ASSERT_EQ(std::system(("bash '" + (scratch / "line.sh").string() + "' >'" + out.string() + "'").c_str()), 0);
  EXPECT_EQ(bytes_of(out), "plain-1.5\n\na b\nit's\n$HOME `id` \"q\" *\n" + odd.string() + "\n");
}

}  // namespace
}  // namespace brainquant::app
