#!/usr/bin/env bash
# Kills comparisons at random moments and runs them again at once: no method may be lost, and files must end as undisturbed.
#   scripts/killed_runs.sh [KILLS] [SEED]     100 kills unless said; about 4 s a kill
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/build.sh release quantize_model evaluate_quantized_model test_all_quantization_methods run_quantization_experiment
exec env PYTHONDONTWRITEBYTECODE=1 .venv/bin/python scripts/campaigns/kills.py build/release/bin "$@"
