#!/usr/bin/env bash
# From a fresh clone to the comparison of all methods: set-up, build, a small decoder trained on synthetic data in
# PyTorch, its data, an English language model, then test_all_quantization_methods on them, phonemes and words. Everything it
# makes lies in ./demo; what is done is skipped.
# Arguments are handed on to test_all_quantization_methods.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/build.sh release quantize_model evaluate_quantized_model test_all_quantization_methods run_quantization_experiment
say "a small decoder and its data, in ./demo"
.venv/bin/python scripts/demo/make_demo.py demo
say "an English language model, in ./demo/lm"
if [ ! -e demo/lm/words.txt ] || [ ! -e demo/lm/TLG.fst ]; then scripts/build_lm.sh demo/lm; fi
say "all methods"
status=0
build/release/bin/test_all_quantization_methods \
  --model_path demo/model \
  --data_dir demo/data/hdf5_data_final \
  --csv_path demo/data/t15_copyTaskData_description.csv \
  --output_dir demo \
  --eval_type val \
  --gpu_number -1 \
  --methods all \
  --lm wfst --lm_dir demo/lm "$@" || status=$?
if [ -e demo/quantization_results/comparison.html ]; then
  say "open demo/quantization_results/comparison.html in a browser (.md, .csv and .json lie beside it)"
fi
exit "$status"
