#include "common/help.h"

#include <map>

#include "brainquant/evaluation/language_model_options.h"
#include "brainquant/experiment/bits_budget.h"
#include "brainquant/experiment/sensitivity.h"
#include "brainquant/model/dataset_options.h"
#include "brainquant/quantization/scheme.h"
#include "brainquant/runtime/engine_options.h"

namespace brainquant::app {

namespace {

constexpr const char* kDocumented = "Options of the documented Python scripts";

std::map<std::string, std::string> make_groups() {
  std::map<std::string, std::string> groups;
  for (const char* name :
       {"model_path", "output_path", "quantization_type", "dtype", "data_dir", "csv_path", "eval_type", "gpu_number",
        "calibration_batch_size", "calibration_samples", "output_csv", "skip_lm"}) {
    groups[name] = kDocumented;
  }
  // What is documented keeps its place.
  const auto add = [&groups](const char* title, const OptionList& list) {
    for (const Option& option : list.options()) groups.emplace(option.name, title);
  };
  QuantizationOptions quantization;
  add("Quantization", list_options(quantization));
  DatasetOptions data;
  add("Trials", list_selection_options(data));
  EngineOptions engine;
  add("Engine", list_options(engine));
  LanguageModelOptions words;
  add("Language model", list_options(words));
  BudgetOptions budget;
  add("Bits by a budget", list_options(budget));
  for (const char* name : {"inspect", "verify", "json", "add_session", "replace_session", "base"}) {
    groups.emplace(name, "A file that is there already");
  }
  SensitivityOptions sensitivity;
  add("Sensitivity", list_options(sensitivity));
  return groups;
}

}  // namespace

std::string group_of(const std::string& option) {
  static const std::map<std::string, std::string> groups = make_groups();
  const auto found = groups.find(option);
  return found == groups.end() ? kOtherOptions : found->second;
}

std::string examples_of(const std::string& program) {
  static const std::map<std::string, std::string> examples = {
      {"quantize_model",
       "  # INT8 with calibrated activations, from the train trials in ./data\n"
       "  quantize_model --model_path data/t15_pretrained_rnn_baseline --output_path q/quantized_model.pt \\\n"
       "      --quantization_type static_per_channel\n"
       "  # 4-bit weights: what would be written\n"
       "  quantize_model --model_path data/t15_pretrained_rnn_baseline --output_path q4/quantized_model.pt \\\n"
       "      --quantization_type static_per_channel --dtype qint4 --dry_run\n"},
      {"evaluate_quantized_model",
       "  # phoneme error rate of a quantized file\n"
       "  evaluate_quantized_model --model_path q/quantized_model.pt --skip_lm\n"
       "  # the fp32 checkpoint, with sentences and all results as JSON\n"
       "  evaluate_quantized_model --model_path data/t15_pretrained_rnn_baseline --lm_dir lm/english \\\n"
       "      --output_json fp32.json\n"
       "  # bin by bin, as a live system does, with the words as they come\n"
       "  evaluate_quantized_model --model_path q/quantized_model.pt --lm_dir lm/english --streaming\n"},
      {"test_all_quantization_methods",
       "  # the four documented methods against fp32, without a language model\n"
       "  test_all_quantization_methods --model_path data/t15_pretrained_rnn_baseline --skip_lm\n"
       "  # those of 4 bits too, and what each weight matrix costs by itself\n"
       "  test_all_quantization_methods --model_path data/t15_pretrained_rnn_baseline --lm_dir lm/english \\\n"
       "      --methods all --sensitivity\n"},
      {"run_quantization_experiment",
       "  # one method, quantized and evaluated on the first 20 trials\n"
       "  run_quantization_experiment --model_path data/t15_pretrained_rnn_baseline --skip_lm \\\n"
       "      --quantization_type static --max_trials 20\n"
       "  # the smallest file that costs at most 0.2 points of word error rate\n"
       "  run_quantization_experiment --model_path data/t15_pretrained_rnn_baseline --lm_dir lm/english \\\n"
       "      --quantization_type static_per_channel --dtype mixed --max_wer_increase 0.2\n"}};
  const auto found = examples.find(program);
  return found == examples.end() ? "" : found->second;
}

}  // namespace brainquant::app
