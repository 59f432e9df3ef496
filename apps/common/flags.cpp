#include "common/flags.h"

#include <vector>

namespace brainquant::app {

namespace {

// A flag whose value is one of a few names.
template <typename Parse>
CLI::Option* add_choice(CLI::App& parser, const std::string& flag, std::vector<std::string> names,
                        const std::string& help, Parse parse) {
  return parser.add_option_function<std::string>(flag, parse, help)->check(CLI::IsMember(std::move(names)));
}

CLI::Option* add_path(CLI::App& parser, const std::string& flag, std::filesystem::path& path, const std::string& help) {
  CLI::Option* option = parser.add_option_function<std::string>(
      flag, [&path](const std::string& text) { path = text; }, help);
  option->type_name("PATH");
  if (!path.empty()) option->default_str(path.string());
  return option;
}

}  // namespace

void add_data_flags(CLI::App& parser, std::filesystem::path& data_dir, std::filesystem::path& csv_path) {
  add_path(parser, "--data_dir", data_dir, "Data set: folders of sessions with data_{train,val,test}.hdf5");
  add_path(parser, "--csv_path", csv_path, "CSV that names each block's corpus");
}

void add_selection_flags(CLI::App& parser, DatasetOptions& data) {
  add_choice(parser, "--eval_type", {"val", "test"}, "Split to decode", [&data](const std::string& name) {
    data.split = name == "test" ? Split::test : Split::val;
  })->default_str("val");
  parser.add_option("--sessions", data.sessions, "For testing: only these sessions, separated by commas")
      ->delimiter(',');
  parser.add_option_function<std::int64_t>(
      "--max_trials", [&data](const std::int64_t& count) { data.max_trials = count; },
      "For testing: only the first so many trials");
}

void add_engine_flags(CLI::App& parser, EngineOptions& engine) {
  engine.gpu_number = 0;
  parser.add_option("--gpu_number", engine.gpu_number, "GPU to use, -1 for the CPU; INT8 always runs on the CPU")
      ->capture_default_str();
  add_choice(parser, "--engine", engine_names(), "How INT8 runs; default: the fastest one",
             [&engine](const std::string& name) { engine.engine = name; });
  parser.add_option("--kernel", engine.kernel, "The native engine's kernel by name; default: the CPU's best one");
  parser.add_option("--threads", engine.threads, "Threads; 0: all cores that the process may use")
      ->capture_default_str();
}

void add_language_model_flags(CLI::App& parser, LanguageModelOptions& options) {
  parser.add_flag("--skip_lm", options.skip_lm, "Phonemes only: no language model");
  add_choice(parser, "--lm", language_model_names(),
             "What makes sentences: the public server, or a graph in this process",
             [&options](const std::string& name) { options.lm = name; })
      ->default_str(options.lm);
  parser.add_option("--redis_host", options.redis_host, "redis: host of the server's Redis")->capture_default_str();
  parser.add_option("--redis_port", options.redis_port, "redis: its port")->capture_default_str();
  parser.add_option("--redis_db", options.redis_db, "redis: its database")->capture_default_str();
  parser.add_option("--lm_timeout", options.lm_timeout, "redis: seconds for a trial")->capture_default_str();
  add_path(parser, "--lm_dir", options.lm_dir, "wfst: folder with TLG.fst and words.txt");
  add_path(parser, "--rescore_lm", options.rescore_lm, "wfst: larger G.fst or ARPA model that has the last word");
  add_choice(parser, "--lm_preset", {"server", "published"}, "wfst: the public server's defaults or its instructions'",
             [&options](const std::string& name) { options.lm_preset = name; });
  parser.add_option("--beam", options.beam, "wfst: instead of the preset's, like those below");
  parser.add_option("--max_active", options.max_active, "wfst: most paths that go on from a step");
  parser.add_option("--min_active", options.min_active, "wfst: fewest paths that go on from a step");
  parser.add_option("--lattice_beam", options.lattice_beam, "wfst: how far a listed sentence may be from the best");
  parser.add_option("--acoustic_scale", options.acoustic_scale, "wfst: weight of the logits");
  parser.add_option("--blank_penalty", options.blank_penalty, "wfst: its logarithm is taken off blank");
  parser.add_option("--ctc_blank_skip_threshold", options.ctc_blank_skip_threshold,
                    "wfst: steps of surer blanks are skipped");
  parser.add_option("--length_penalty", options.length_penalty, "wfst: cost of each step that moves on");
  parser.add_option("--nbest", options.nbest, "wfst: sentences listed");
}

void add_method_flags(CLI::App& parser, QuantizationOptions& options) {
  add_choice(parser, "--quantization_type", {"dynamic", "static", "static_per_channel"},
             "How activations are quantized",
             [&options](const std::string& name) { options.quantization_type = parse_quantization_type(name); })
      ->default_str("dynamic");
  add_choice(parser, "--dtype", {"qint8", "float16"}, "What weights become; float16 only with dynamic",
             [&options](const std::string& name) { options.dtype = parse_dtype(name); })
      ->default_str("qint8");
  add_choice(parser, "--weight_granularity", {"per_tensor", "per_channel"}, "dynamic qint8 only; default: per_tensor",
             [&options](const std::string& name) { options.weight_granularity = parse_granularity(name); });
}

void add_static_flags(CLI::App& parser, QuantizationOptions& options) {
  add_choice(parser, "--observer", {"minmax", "percentile", "histogram"}, "Static types only; default: minmax",
             [&options](const std::string& name) { options.observer = parse_observer(name); });
  add_choice(parser, "--day_layers", {"quantize", "float"}, "float leaves the day layers in fp32",
             [&options](const std::string& name) { options.day_layers = parse_day_layers(name); })
      ->default_str("quantize");
  parser
      .add_option("--calibration_samples", options.calibration_samples, "Static types: train trials to calibrate with")
      ->capture_default_str();
}

void add_calibration_batch_size(CLI::App& parser, std::int64_t& batch_size) {
  parser.add_option("--calibration_batch_size", batch_size, "Static types: trials in memory at once")
      ->capture_default_str();
}

void add_quantize_flags(CLI::App& parser, QuantizeJob& job, int& gpu_number) {
  add_path(parser, "--model_path", job.model_path, "Folder of the trained model")->required();
  add_path(parser, "--output_path", job.output_path, "Quantized file to write; args.yaml goes beside it")->required();
  add_method_flags(parser, job.options);
  add_data_flags(parser, job.data_dir, job.csv_path);
  parser.add_option("--gpu_number", gpu_number, "Accepted; quantization runs on the CPU")->capture_default_str();
  add_calibration_batch_size(parser, job.calibration_batch_size);
  add_static_flags(parser, job.options);
  parser.add_option("--threads", job.threads, "Threads; 0: all cores that the process may use")->capture_default_str();
  parser.add_flag("--force", job.force, "Overwrite whatever is at --output_path");
  parser.add_flag("--dry_run", job.dry_run, "Show what would be written, tensor by tensor, and write nothing");
}

void add_evaluation_flags(CLI::App& parser, EvaluationOptions& options) {
  add_path(parser, "--model_path", options.model_path, "Quantized file, or a checkpoint folder: the fp32 baseline")
      ->required();
  add_data_flags(parser, options.data.data_dir, options.data.csv_path);
  add_selection_flags(parser, options.data);
  add_engine_flags(parser, options.engine);
  parser.add_option("--batch_size", options.batch_size, "Trials that the engine gets at once")->capture_default_str();
  parser.add_flag(
      "--streaming", options.streaming,
      "Decode bin by bin, as a live system does, and time the steps; with --lm wfst print words as they come");
  parser.add_option("--step_latency", options.step_latency, "Time so many single steps after the evaluation")
      ->capture_default_str();
  add_language_model_flags(parser, options.language_model);
  add_path(parser, "--output_csv", options.output_csv,
           "Results CSV; default: quantized_rnn_{val|test}_results_TIME.csv beside the model");
  add_path(parser, "--output_json", options.output_json, "Results with scores and times (docs/results-schema.md)");
  add_path(parser, "--submission_csv", options.submission_csv, "The competition's file: id,text");
  add_path(parser, "--save_logits", options.save_logits, "HDF5 file for all trials' logits");
}

void add_experiment_flags(CLI::App& parser, ExperimentOptions& options) {
  add_path(parser, "--model_path", options.model_path, "Folder of the trained model")->required();
  add_path(parser, "--output_dir", options.output_dir, "Where results go; default: the parent of --model_path");
  add_data_flags(parser, options.data.data_dir, options.data.csv_path);
  add_selection_flags(parser, options.data);
  add_engine_flags(parser, options.engine);
  parser.add_option("--batch_size", options.batch_size, "Trials that the engine gets at once")->capture_default_str();
  add_calibration_batch_size(parser, options.calibration_batch_size);
  add_language_model_flags(parser, options.language_model);
}

}  // namespace brainquant::app
