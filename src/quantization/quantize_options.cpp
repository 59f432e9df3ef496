#include "brainquant/quantization/quantize_job.h"

namespace brainquant {

OptionList list_options(QuantizeJob& job) {
  const auto calibrates = [&job] { return job.options.needs_calibration(); };
  OptionList list;
  list.add("model_path", job.model_path, "Folder of the trained model").is_required();
  list.add("output_path", job.output_path, "Quantized file to write; args.yaml goes beside it").is_required();
  list.add(list_options(job.options));
  list.add("data_dir", job.data_dir, "Static types and GPTQ: data set whose train trials are used for calibration")
      .that_applies_if(calibrates);
  list.add("csv_path", job.csv_path, "CSV that names each block's corpus").that_applies_if(calibrates);
  list.add("gpu_number", job.gpu_number, "Accepted for compatibility; quantization runs on the CPU")
      .that_applies_if([] { return false; });
  list.add("calibration_batch_size", job.calibration_batch_size, "Static types and GPTQ: trials held in memory at once")
      .that_applies_if(calibrates);
  list.add("threads", job.threads, "Number of threads; 0 uses every core the process may use");
  list.add("force", job.force, "Replace whatever is at --output_path");
  list.add("dry_run", job.dry_run, "Print what would be written, tensor by tensor, and write nothing");
  return list;
}

}  // namespace brainquant
