#include "common/run_app.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <sstream>

#include "brainquant/components.h"
#include "brainquant/experiment/program_runner.h"
#include "brainquant/git_commit.h"
#include "brainquant/support/error.h"
#include "brainquant/version.h"
#include "common/exit_code.h"
#include "common/flag_names.h"
#include "common/help.h"
#include "common/terminal.h"

namespace brainquant::app {

namespace {

// The last resort: an exception that nobody catches is one line and an exit code instead of an abort. Memory may have
// run out, so nothing here allocates any.
[[noreturn]] void end_in_one_line() {
  char line[400];
  const auto write_error = [&line](const char* problem) {
    const auto length = static_cast<int>(std::strcspn(problem, "\n"));
    const int most = static_cast<int>(sizeof line) - static_cast<int>(sizeof "error: \n");
    const int bytes = std::snprintf(line, sizeof line, "error: %.*s\n", std::min(length, most), problem);
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line, static_cast<std::size_t>(bytes));
  };
  try {
    if (std::current_exception()) throw;
    write_error("the program failed");
  } catch (const std::bad_alloc&) {
    write_error("out of memory");
  } catch (const std::exception& problem) {
    write_error(problem.what());
  } catch (...) {
    write_error("an unknown error");
  }
  ::_exit(kExitFailure);
}

// In force before the shared libraries' own starts, which is where LibTorch first needs memory.
void set_last_resort() { std::set_terminate(end_in_one_line); }
[[gnu::section(".preinit_array"), gnu::used]] void (*const first_of_all)() = set_last_resort;

// A signal handler can reach nothing but globals.
CancelToken interrupted;
volatile std::sig_atomic_t stop_signal = SIGINT;

void on_stop_signal(int signal) {
  if (!interrupted.cancelled()) stop_signal = signal;
  interrupted.cancel();
}

void set_up_signals() {
  struct sigaction stop {};
  stop.sa_handler = on_stop_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};
    ::sigaction(signal, nullptr, &inherited);
    // nohup and shells' background jobs ignore one on purpose.
    if (inherited.sa_handler != SIG_IGN) ::sigaction(signal, &stop, nullptr);
  }
  // A closed pipe or a file at its size limit is then an error of the write, which is reported like any other.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

constexpr std::size_t kHelpWidth = 100;
constexpr std::size_t kFlagsWidth = 40;

// `text` broken between words into lines of at most `width` characters; a longer word has a line of its own.
std::string wrapped(const std::string& text, std::size_t width) {
  std::istringstream words(text);
  std::string result;
  std::size_t used = 0;
  for (std::string word; words >> word; used += word.size()) {
    if (used > 0 && used + 1 + word.size() > width) {
      result += '\n';
      used = 0;
    } else if (used > 0) {
      result += ' ';
      ++used;
    }
    result += word;
  }
  return result;
}

// CLI11's --help, no wider than kHelpWidth, with what belongs nowhere at the end. CLI11 itself indents what follows a
// line break.
class WrappedHelp : public CLI::Formatter {
 public:
  WrappedHelp() { column_width(kFlagsWidth); }
  std::string make_description(const CLI::App* app) const override {
    return wrapped(app->get_description(), kHelpWidth) + "\n";
  }
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode /*mode*/) const override {
    std::vector<std::string> titles = app->get_groups();
    std::stable_partition(titles.begin(), titles.end(),
                          [](const std::string& title) { return title != kOtherOptions; });
    std::string text = make_description(app) + make_usage(app, std::move(name));
    for (const std::string& title : titles) {
      const auto options = app->get_options([&](const CLI::Option* option) { return option->get_group() == title; });
      if (!options.empty()) text += make_group(title, false, options);
    }
    return text + "\n" + make_footer(app);
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(option->get_description(), kHelpWidth - kFlagsWidth);
  }
};

struct Setting {
  std::string flag;   // with its "--"
  bool takes_value;   // false: a switch
  std::string value;  // that holds; "" for none, and for a switch that is off
};

std::vector<Setting> settings_of(const CLI::App& parser) {
  std::vector<Setting> settings;
  for (const CLI::Option* option : parser.get_options()) {
    if (option->get_lnames().empty() || !option->get_configurable()) continue;
    Setting setting{"--" + option->get_lnames().front(), option->get_expected_min() > 0, ""};
    for (const std::string& item : option->reduced_results())
      setting.value += (setting.value.empty() ? "" : ",") + item;
    if (option->count() == 0) setting.value = option->get_default_str();
    settings.push_back(std::move(setting));
  }
  return settings;
}

// In one line, "--a 1 --b x"; and one by one with --verbose.
void echo(const App& app, const CLI::App& parser, Terminal& terminal) {
  const std::vector<Setting> settings = settings_of(parser);
  std::string line = app.name + " " + kVersion;
  for (const Setting& setting : settings) {
    if (setting.value.empty()) continue;
    line += " " + setting.flag + (setting.takes_value ? " " + setting.value : "");
  }
  terminal.info(line);
  for (const Setting& setting : settings) {
    const std::string none = setting.takes_value ? "(not given)" : "off";
    terminal.debug(setting.flag + " " + (setting.value.empty() ? none : setting.takes_value ? setting.value : "on"));
  }
}

std::string version_text(const App& app) {
  const std::string commit = git_commit();
  std::string text = app.name + " " + kVersion + (commit.empty() ? "" : " (" + commit + ")");
  for (const auto& [name, version] : components()) text += "\n" + name + " " + version;
  return text;
}

// Says what went wrong, to the user and to the program of this project that started this one, if one did.
void report(Terminal& terminal, const std::string& problem) {
  terminal.error(problem);
  hand_over_error(problem);
}

// Progress, to the same two.
class SharedProgress final : public Progress {
 public:
  explicit SharedProgress(Terminal& terminal) : terminal_(terminal) {}
  void update(const std::string& stage, std::int64_t done, std::int64_t total) override {
    terminal_.update(stage, done, total);
    hand_over_progress(stage, done, total);
  }

 private:
  Terminal& terminal_;
};

void check_stdout() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw FileError("standard output", std::string("cannot write: ") + std::strerror(errno));
  }
}

int run_parsed(const App& app, const CLI::App& parser, Terminal& terminal) {
  echo(app, parser, terminal);
  try {
    SharedProgress progress(terminal);
    const int code = app.run(parser, {RunContext(terminal, progress, interrupted), terminal});
    check_stdout();
    return code;
  } catch (const UsageError& problem) {
    report(terminal, problem.what());
    return kExitUsage;
  } catch (const Interrupted& problem) {
    report(terminal, problem.what());
    return exit_code_of_signal(stop_signal);
  } catch (const std::bad_alloc&) {
    report(terminal, "out of memory");
  } catch (const Error& problem) {
    report(terminal, problem.what());
  } catch (const std::exception& problem) {
    const std::string text = problem.what();
    report(terminal, text.substr(0, text.find('\n')));  // LibTorch's have a stack trace below
  } catch (...) {
    report(terminal, "an unknown error");
  }
  return interrupted.cancelled() ? exit_code_of_signal(stop_signal) : kExitFailure;
}

}  // namespace

int run_app(const App& app, int argc, char** argv) {
  set_up_signals();
  Terminal terminal(app.name);
  CLI::App parser(app.description, app.name);
  parser.formatter(std::make_shared<WrappedHelp>());
  parser.option_defaults()->group(kOtherOptions);
  parser.set_help_flag();  // it comes behind the program's own
  app.add_flags(parser);
  bool quiet = false;
  bool verbose = false;
  CLI::Option* quiet_flag = parser.add_flag("--quiet", quiet, "Only warnings and errors on stderr, and no progress");
  parser.add_flag("--verbose", verbose, "More messages on stderr, and the value of each option")->excludes(quiet_flag);
  parser.set_version_flag(
      "--version", [&app] { return version_text(app); }, "Print the version, and those of what it runs on");
  parser.set_help_flag("-h,--help", "Print this help message and exit");
  parser.footer("Examples:\n" + examples_of(app.name));
  try {
    std::vector<std::string> arguments = with_known_flags(parser, {argv + 1, argv + argc});
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    parser.parse(std::move(arguments));
  } catch (const CLI::Success& asked) {  // --help, --version
    parser.exit(asked);
    return kExitSuccess;
  } catch (const CLI::ParseError& problem) {
    report(terminal, problem.what());
    return kExitUsage;
  } catch (const UsageError& problem) {  // a flag that there isn't, a value that its option can't take
    report(terminal, problem.what());
    return kExitUsage;
  }
  terminal.set_verbosity(quiet ? Verbosity::quiet : verbose ? Verbosity::verbose : Verbosity::normal);
  return run_parsed(app, parser, terminal);
}

}  // namespace brainquant::app
