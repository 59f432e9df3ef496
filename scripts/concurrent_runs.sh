#!/usr/bin/env bash
# Pairs of runs at the same time in one output folder: every label, option and hash must agree afterwards.
#   scripts/concurrent_runs.sh [PAIRS] [SEED]     200 pairs unless said; about 2 s a pair
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/build.sh release quantize_model evaluate_quantized_model test_all_quantization_methods run_quantization_experiment
exec env PYTHONDONTWRITEBYTECODE=1 .venv/bin/python scripts/campaigns/pairs.py build/release/bin "$@"
