// What the programs do with wrong flags, bad input, full disks and signals.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "apps/program.h"
#include "apps/study.h"
#include "io/csv.h"
#include "language_model/fake_language_model.h"

namespace brainquant::testing {
namespace {

namespace fs = std::filesystem;

using Flags = std::vector<std::string>;

const std::string kModel = (study_folder() / "model").string();

void expect_one_error(const ProgramResult& run, int exit_code, const std::string& part) {
  EXPECT_EQ(run.exit_code, exit_code) << run.err;
  ASSERT_EQ(run.errors().size(), 1U) << run.err;
  EXPECT_NE(run.errors()[0].find(part), std::string::npos) << run.errors()[0];
  EXPECT_EQ(run.out, "");
}

TEST(Usage, WrongFlagsGiveExitCode2) {
  const ScratchFolder scratch;
  const std::string out = (scratch / "q.pt").string();
  const Flags quantize = {"--model_path", kModel, "--output_path", out};
  const Flags evaluate = {"--model_path", kModel};
  const std::vector<std::tuple<std::string, Flags, std::string>> cases = {
      {"quantize_model", {}, "--model_path"},
      {"quantize_model", quantize + Flags{"--nonsense"}, "--nonsense"},
      {"quantize_model", quantize + Flags{"--quantization_type", "best"}, "best"},
      {"quantize_model", quantize + Flags{"--quantization_type", "static", "--dtype", "float16"}, "float16"},
      {"quantize_model", quantize + Flags{"--quantization_type", "static", "--dtype", "qint4"}, "each row by nature"},
      {"quantize_model", quantize + Flags{"--dtype", "qint4", "--weight_granularity", "per_channel"},
       "--weight_granularity"},
      {"quantize_model", quantize + Flags{"--dtype", "float16", "--weight_rounding", "gptq"}, "--weight_rounding"},
      {"quantize_model", quantize + Flags{"--dtype", "qint4", "--weight_rounding", "best"}, "best"},
      {"quantize_model", quantize + Flags{"--dtype", "qint4", "--gptq_samples", "0"}, "--gptq_samples"},
      {"quantize_model", quantize + Flags{"--dtype", "mixed"}, "--bits"},
      {"quantize_model", quantize + Flags{"--bits", "*=4"}, "--dtype mixed"},
      {"quantize_model", quantize + Flags{"--dtype", "mixed", "--bits", "out.weight=4,gru.*=3"}, "'gru.*=3'"},
      {"quantize_model", quantize + Flags{"--dtype", "mixed", "--bits", "lstm.*=4"}, "lstm.*=4"},
      {"quantize_model", quantize + Flags{"--observer", "minmax"}, "--observer"},
      {"quantize_model", quantize + Flags{"--quantization_type", "static", "--weight_granularity", "per_channel"},
       "--weight_granularity"},
      {"quantize_model", quantize + Flags{"--quantization_type", "static", "--calibration_samples", "0"},
       "--calibration_samples"},
      {"quantize_model", quantize + Flags{"--calibration_batch_size", "x"}, "--calibration_batch_size"},
      {"quantize_model", quantize + Flags{"--quiet", "--verbose"}, "--verbose"},
      {"quantize_model",
       {"--model_path", kModel, "--output_path", kModel + "/checkpoint/best_checkpoint", "--force"},
       "the checkpoint itself"},
      {"evaluate_quantized_model", evaluate + Flags{"--eval_type", "train"}, "train"},
      {"evaluate_quantized_model", evaluate + Flags{"--skip_lm", "--submission_csv", out}, "--submission_csv"},
      {"evaluate_quantized_model", evaluate + Flags{"--skip_lm", "--batch_size", "0"}, "--batch_size"},
      {"evaluate_quantized_model", evaluate + Flags{"--skip_lm", "--max_trials", "0"}, "--max_trials"},
      {"evaluate_quantized_model", evaluate + Flags{"--skip_lm", "--gpu_number", "-2"}, "--gpu_number"},
      {"evaluate_quantized_model", evaluate + Flags{"--skip_lm", "--engine", "warp"}, "warp"},
      {"evaluate_quantized_model", evaluate + Flags{"--skip_lm", "--engine", "native"} + data_flags(), "native"},
      {"evaluate_quantized_model", evaluate + Flags{"--lm", "oracle"}, "oracle"},
      {"evaluate_quantized_model", evaluate + Flags{"--redis_port", "70000"} + data_flags(), "70000"},
      {"evaluate_quantized_model", evaluate + Flags{"--lm", "wfst"} + data_flags(), "--lm_dir"},
      {"evaluate_quantized_model", evaluate + Flags{"--beam", "3"} + data_flags(), "--beam"},
      {"evaluate_quantized_model", evaluate + Flags{"--lm", "wfst", "--lm_dir", "d", "--nbest", "0"}, "nbest"},
      {"test_all_quantization_methods", {"--skip_lm"}, "--model_path"},
      {"run_quantization_experiment",
       evaluate + Flags{"--skip_lm", "--dtype", "float16", "--quantization_type", "static"}, "float16"},
  };
  for (const auto& [program, flags, part] : cases) {
    SCOPED_TRACE(program + " " + ::testing::PrintToString(flags));
    expect_one_error(run_program(program, flags, scratch.path()), 2, part);
  }
  EXPECT_FALSE(fs::exists(out));
  EXPECT_EQ(run_program("quantize_model", {"--help"}, scratch.path()).exit_code, 0);
  EXPECT_EQ(run_program("evaluate_quantized_model", {"--version"}, scratch.path()).exit_code, 0);
}

TEST(Usage, UnusedDocumentedOptionsAreAcceptedAndNamed) {
  const ScratchFolder scratch;
  const ProgramResult run = run_program("quantize_model",
                                        {"--model_path", kModel, "--output_path", (scratch / "q.pt").string(),
                                         "--calibration_samples", "5", "--data_dir", "/nowhere"},
                                        scratch.path());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("dynamic_qint8 does not use --calibration_samples, --data_dir"), std::string::npos) << run.err;
}

TEST(BadInput, OneLineNamesFileAndFaultAndNothingIsLeft) {
  const ScratchFolder scratch;
  const fs::path broken = scratch / "broken.pt";
  ASSERT_EQ(run_program("quantize_model", {"--model_path", kModel, "--output_path", broken.string()}, scratch.path())
                .exit_code,
            0);
  const std::string whole = bytes_of(broken);
  write_bytes(broken, whole.substr(0, whole.size() / 2));
  std::string flipped = whole;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x10);
  write_bytes(scratch / "flipped.pt", flipped);
  fs::create_directories(scratch / "folder");
  write_bytes(scratch / "no_row.csv", "Date,Post-implant day,Block number,Number of sentences,Corpus,Split\r\n");
  fs::copy(study_folder() / "data", scratch / "data", fs::copy_options::recursive);
  const fs::path cut = scratch.path() / "data/t15.2023.08.18/data_val.hdf5";
  write_bytes(cut, bytes_of(cut).substr(0, 3000));

  const fs::path csv = scratch / "out" / "results.csv";
  const fs::path json = scratch / "out" / "results.json";
  const auto evaluate = [&](const std::string& model, const Flags& data) {
    return run_program(
        "evaluate_quantized_model",
        Flags{"--model_path", model, "--skip_lm", "--output_csv", csv.string(), "--output_json", json.string()} + data,
        scratch.path());
  };
  const std::string corpora = (study_folder() / "corpora.csv").string();
  const std::string data = (study_folder() / "data").string();
  expect_one_error(evaluate("/nowhere/model.pt", data_flags()), 1, "/nowhere/model.pt");
  expect_one_error(evaluate(broken.string(), data_flags()), 1, broken.string());
  expect_one_error(evaluate((scratch / "flipped.pt").string(), data_flags()), 1, "flipped.pt");
  expect_one_error(evaluate((scratch / "folder").string(), data_flags()), 1, "checkpoint/best_checkpoint");
  expect_one_error(evaluate(kModel, {"--data_dir", "/nowhere", "--csv_path", corpora}), 1, "/nowhere");
  expect_one_error(evaluate(kModel, {"--data_dir", data, "--csv_path", (scratch / "no_row.csv").string()}), 1,
                   "no_row.csv");
  expect_one_error(evaluate(kModel, {"--data_dir", (scratch / "data").string(), "--csv_path", corpora}), 1,
                   cut.string());
  EXPECT_TRUE(!fs::exists(scratch / "out") || fs::is_empty(scratch / "out"));

  const std::string out = (scratch / "q.pt").string();
  expect_one_error(run_program("quantize_model", {"--model_path", "/nowhere", "--output_path", out}, scratch.path()), 1,
                   "/nowhere");
  expect_one_error(run_program("quantize_model",
                               {"--model_path", kModel, "--output_path", out, "--quantization_type", "static",
                                "--data_dir", "/nowhere"},
                               scratch.path()),
                   1, "/nowhere");
  EXPECT_FALSE(fs::exists(out));
}

TEST(FullDisk, IsAnErrorAndLeavesNoFileUnderItsName) {
  const ScratchFolder scratch;
  const fs::path out = scratch / "q" / "quantized_model.pt";
  ProgramResult run =
      RunningProgram("quantize_model", {"--model_path", kModel, "--output_path", out.string()}, scratch.path(), 8000)
          .wait();
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_EQ(run.errors().size(), 1U) << run.err;
  EXPECT_FALSE(fs::exists(out));
  for (const auto& entry : fs::directory_iterator(scratch / "q")) EXPECT_EQ(entry.path().filename(), "args.yaml");

  const fs::path csv = scratch / "e" / "results.csv";
  run = RunningProgram("evaluate_quantized_model",
                       Flags{"--model_path", kModel, "--skip_lm", "--output_csv", csv.string()} + data_flags(),
                       scratch.path(), 2000)
            .wait();
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_FALSE(fs::exists(csv));

  run = RunningProgram("quantize_model", {"--model_path", kModel, "--output_path", (scratch / "f.pt").string()},
                       scratch.path(), {}, "/dev/full")
            .wait();
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("standard output"), std::string::npos) << run.err;
}

// Whatever the memory runs out in: a line and exit code 1, never a signal.
TEST(LittleMemory, IsAnErrorOfOneLine) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer needs all the address space there is";
#else
  const ScratchFolder scratch;
  const std::string quantized = (scratch / "q.pt").string();
  ASSERT_EQ(
      run_program("quantize_model", {"--model_path", kModel, "--output_path", quantized}, scratch.path()).exit_code, 0);
  const std::string csv = (scratch / "r.csv").string();
  const std::vector<std::pair<std::string, Flags>> runs = {
      {"quantize_model", Flags{"--model_path", kModel, "--output_path", (scratch / "s.pt").string(),
                               "--quantization_type", "static", "--force"} +
                             data_flags()},
      {"evaluate_quantized_model", Flags{"--model_path", kModel, "--skip_lm", "--output_csv", csv} + data_flags()},
      {"evaluate_quantized_model",
       Flags{"--model_path", quantized, "--skip_lm", "--output_csv", csv, "--streaming"} + data_flags()},
  };
  for (const auto& [program, flags] : runs) {
    int refused = 0;
    for (const rlim_t megabytes : {390, 430, 455, 500, 560, 1000}) {
      fs::remove(csv);
      const ProgramResult run =
          RunningProgram(program, flags, scratch.path(), {}, "", {{RLIMIT_AS, megabytes << 20}}).wait();
      if (run.exit_code == 127) continue;  // not even the shared libraries fit
      EXPECT_TRUE(run.exit_code == 0 || run.exit_code == 1)
          << program << ", " << megabytes << " MiB: signal " << run.signal << "\n"
          << run.err;
      // OpenMP's runtime has a line of its own when LibTorch's threads don't fit any more.
      const bool openmp = run.err.find("libgomp: ") != std::string::npos;
      EXPECT_EQ(run.errors().size(), run.exit_code == 1 && !openmp ? 1U : 0U) << run.err;
      if (run.exit_code == 1) ++refused;
    }
    EXPECT_GT(refused, 0) << program;
  }
#endif
}

TEST(FewDescriptors, AreAnErrorThatNamesTheFile) {
  const ScratchFolder scratch;
  const Flags flags =
      Flags{"--model_path", kModel, "--skip_lm", "--output_csv", (scratch / "r.csv").string()} + data_flags();
  int refused = 0;
  for (rlim_t descriptors = 4; descriptors < 30; ++descriptors) {
    const ProgramResult run =
        RunningProgram("evaluate_quantized_model", flags, scratch.path(), {}, "", {{RLIMIT_NOFILE, descriptors}})
            .wait();
    if (run.exit_code == 127) continue;  // the shared libraries can't be opened: some descriptors were handed down
    if (run.exit_code == 0) break;
    ++refused;
    EXPECT_EQ(run.exit_code, 1) << run.err;
    ASSERT_EQ(run.errors().size(), 1U) << run.err;
    const std::string error = run.errors()[0];
    EXPECT_NE(error.find(": cannot "), std::string::npos) << error;
    EXPECT_NE(error.find("Too many open files"), std::string::npos) << error;
    EXPECT_NE(error.find('/'), std::string::npos) << error;
  }
  EXPECT_GT(refused, 1);
}

// Listens, and never says a word.
class SilentServer {
 public:
  SilentServer() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::listen(fd_, 8);
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(fd_); }
  std::string port() const { return std::to_string(port_); }

 private:
  int fd_;
  int port_ = 0;
};

// A language-model server that answers resets and then nothing more: a run gets as far as its first sentence.
class HangingServer {
 public:
  std::string port() const { return std::to_string(redis_.port()); }
  void kill_redis() { redis_.kill(); }

 private:
  static FakeBehaviour behaviour() {
    FakeBehaviour behaviour;
    behaviour.answers_logits = false;
    return behaviour;
  }
  RedisServer redis_;
  FakeLanguageModel server_{redis_.port(), behaviour()};
};

class LanguageModelRun : public ::testing::Test {
 protected:
  Flags flags(const std::string& port) const {
    return Flags{"--model_path",     kModel,
                 "--output_csv",     csv_.string(),
                 "--output_json",    json_.string(),
                 "--submission_csv", submission_.string(),
                 "--output_trials",  trials_.string(),
                 "--redis_host",     "127.0.0.1",
                 "--redis_port",     port} +
           data_flags();
  }
  // Phonemes are done once their CSV and JSON are there, the JSON a moment later; then the program waits
  // for the server.
  void wait_for_phonemes() const {
    const auto saved = [this] { return fs::exists(csv_) && fs::exists(json_); };
    for (int i = 0; i < 6000 && !saved(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(saved());
  }
  void expect_phonemes_are_saved() const {
    EXPECT_EQ(bytes_of(csv_).substr(0, 35), "session,block,trial,pred_phonemes,t");
    EXPECT_NEAR(json_in(json_)["per"]["total"]["rate"], expected_rate("distance"), 1e-9);
    EXPECT_TRUE(fs::exists(csv_.string() + ".partial"));
    EXPECT_FALSE(fs::exists(submission_));
    const CsvTable trials(trials_);
    EXPECT_EQ(trials.rows().size(), 18U);
    EXPECT_EQ(trials.rows()[0].fields[trials.column("sentence")], "");
  }
  // The missing server was noticed before any trial was decoded.
  void expect_nothing_is_written() const {
    for (const fs::path& path : {csv_, json_, submission_, trials_, fs::path(csv_.string() + ".partial")}) {
      EXPECT_FALSE(fs::exists(path)) << path;
    }
  }
  void expect_sentences_after_resume() {
    RedisServer redis;
    FakeBehaviour behaviour;
    behaviour.final = [](const auto&) { return Flags{"lm_response_final", "plain words here"}; };
    const FakeLanguageModel server(redis.port(), behaviour);
    const ProgramResult run =
        run_program("evaluate_quantized_model", flags(std::to_string(redis.port())), scratch_.path());
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const nlohmann::json result = json_in(json_);
    EXPECT_EQ(result["data"]["resumed"], 18);
    // By hand: of sentences 0 to 5 of a session 4, 4, 0, 3, 4, 4 of 4, 4, 3, 2, 4, 4 words; but the trial that is too
    // short for a step has no sentence, which costs its 2 words.
    EXPECT_EQ(result["wer"]["total"]["distance"], 3 * 19 - 1);
    EXPECT_EQ(result["wer"]["total"]["length"], 3 * 21);
    EXPECT_EQ(result["wer"]["sessions"]["t15.2023.08.18"]["distance"], 18);
    const std::string csv = bytes_of(csv_);
    EXPECT_EQ(csv.rfind("session,block,trial,true_sentence,pred_sentence,edit_distance,num_words\n"
                        "t15.2023.08.11,4,0,\"He said \"\"no\"\", twice.\",plain words here,4,4\n",
                        0),
              0U)
        << csv;
    const CsvTable trials(trials_);
    ASSERT_EQ(trials.rows().size(), 18U);
    EXPECT_EQ(trials.rows()[0].fields[trials.column("sentence")], "plain words here");
    EXPECT_EQ(trials.rows()[0].fields[trials.column("word_distance")], "4");
    for (const CsvRow& row : trials.rows()) EXPECT_EQ(row.fields[trials.column("model_ms")], "");  // all are resumed
    EXPECT_EQ(bytes_of(submission_).rfind("id,text\n0,plain words here\n1,", 0), 0U);
    EXPECT_FALSE(fs::exists(csv_.string() + ".partial"));
    EXPECT_FALSE(fs::exists(csv_.string() + ".partial.logits"));
  }

  ScratchFolder scratch_;
  fs::path csv_ = scratch_ / "results.csv";
  fs::path json_ = scratch_ / "results.json";
  fs::path submission_ = scratch_ / "submission.csv";
  fs::path trials_ = scratch_ / "trials.csv";
};

TEST_F(LanguageModelRun, KilledOneGoesOnWhereItWas) {
  const HangingServer hanging;
  RunningProgram run("evaluate_quantized_model", flags(hanging.port()), scratch_.path());
  wait_for_phonemes();
  run.send(SIGKILL);
  EXPECT_EQ(run.wait().signal, SIGKILL);
  expect_phonemes_are_saved();
  expect_sentences_after_resume();
}

TEST_F(LanguageModelRun, InterruptedOneExitsWithTheSignalsCode) {
  for (const int signal : {SIGINT, SIGTERM}) {
    fs::remove(csv_);
    fs::remove(json_);
    const HangingServer hanging;
    RunningProgram run("evaluate_quantized_model", flags(hanging.port()), scratch_.path());
    wait_for_phonemes();
    run.send(signal);
    const ProgramResult result = run.wait();
    EXPECT_EQ(result.exit_code, 128 + signal) << result.err;
    EXPECT_EQ(result.errors(), Flags{"error: interrupted"});
    expect_phonemes_are_saved();
  }
  expect_sentences_after_resume();
}

TEST_F(LanguageModelRun, HangingServerIsAnErrorAfterTheDeadlineWithThePhonemesSaved) {
  const HangingServer hanging;
  const ProgramResult run =
      run_program("evaluate_quantized_model", flags(hanging.port()) + Flags{"--lm_timeout", "3"}, scratch_.path());
  expect_one_error(run, 1, "no answer to the logits on remote_lm_output_partial within 3 s");
  expect_phonemes_are_saved();
  expect_sentences_after_resume();
}

TEST_F(LanguageModelRun, RedisThatDiesIsAnErrorWithThePhonemesSaved) {
  HangingServer hanging;
  RunningProgram run("evaluate_quantized_model", flags(hanging.port()), scratch_.path());
  wait_for_phonemes();
  hanging.kill_redis();
  expect_one_error(run.wait(), 1, "127.0.0.1");
  expect_phonemes_are_saved();
  expect_sentences_after_resume();
}

TEST_F(LanguageModelRun, AbsentRedisIsAnErrorBeforeAnyTrial) {
  const ProgramResult run = run_program("evaluate_quantized_model",
                                        flags(std::to_string(free_port())) + Flags{"--lm", "redis"}, scratch_.path());
  expect_one_error(run, 1, "127.0.0.1");
  EXPECT_NE(run.errors()[0].find("--lm wfst"), std::string::npos) << run.err;
  EXPECT_NE(run.errors()[0].find("--skip_lm"), std::string::npos) << run.err;
  expect_nothing_is_written();
}

TEST_F(LanguageModelRun, SilentRedisIsAnErrorBeforeAnyTrial) {
  const SilentServer silent;
  const ProgramResult run =
      run_program("evaluate_quantized_model", flags(silent.port()) + Flags{"--lm_timeout", "1"}, scratch_.path());
  expect_one_error(run, 1, "Redis itself did not answer within 1 s");
  expect_nothing_is_written();
}

TEST_F(LanguageModelRun, RedisWithoutAServerIsAnErrorBeforeAnyTrial) {
  const RedisServer redis;
  const ProgramResult run = run_program(
      "evaluate_quantized_model", flags(std::to_string(redis.port())) + Flags{"--lm_timeout", "3"}, scratch_.path());
  expect_one_error(run, 1, "is the language-model server running");
  EXPECT_NE(run.errors()[0].find("--skip_lm"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("waiting for the language-model server"), std::string::npos) << run.err;
  expect_nothing_is_written();
}

TEST_F(LanguageModelRun, AnotherClientAtWorkIsAnErrorBeforeAnyTrial) {
  const RedisServer redis;
  const FakeLanguageModel server(redis.port(), {});
  RedisClient(redis.port()).add("remote_lm_input", {"logits", "of another client"});
  const ProgramResult run =
      run_program("evaluate_quantized_model", flags(std::to_string(redis.port())), scratch_.path());
  expect_one_error(run, 1, "another client is using this language-model server");
  expect_nothing_is_written();
}

TEST(Interrupt, PassesOnToTheMethodUnderWay) {
  const ScratchFolder scratch;
  const HangingServer hanging;
  RunningProgram run("test_all_quantization_methods",
                     Flags{"--model_path", kModel, "--output_dir", scratch.path().string(), "--redis_host", "127.0.0.1",
                           "--redis_port", hanging.port()} +
                         data_flags(),
                     scratch.path());
  const fs::path csv = scratch / "quantization_results/fp32_val.csv";
  for (int i = 0; i < 6000 && !fs::exists(csv); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  run.send(SIGINT);
  const ProgramResult result = run.wait();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_NE(bytes_of(scratch / "quantization_results/logs/fp32_val.log").find("error: interrupted"), std::string::npos);
  EXPECT_FALSE(fs::exists(scratch / "quantization_results/comparison.md"));
}

}  // namespace
}  // namespace brainquant::testing
