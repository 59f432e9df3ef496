#!/usr/bin/env bash
# Makes the folder of a language model for `--lm wfst --lm_dir OUT`:
#   scripts/build_lm.sh OUT                                  the default English bigram
#   scripts/build_lm.sh OUT --arpa MODEL --dict DICTIONARY   of any ARPA model and pronunciations
#   scripts/build_lm.sh OUT.arpa --to_arpa MODEL.lm.bin      a Sphinx trie model as an ARPA file, for rescoring
#   scripts/build_lm.sh OUT.fst --convert IN.fst             an existing graph as an aligned const file, which is memory-mapped
# All options: scripts/build_lm.sh --help. What they do: docs/language-models.md.
set -euo pipefail

# Paths in the arguments are the caller's, so the working folder stays what it is.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="$root/.venv/bin/python"
if [ ! -x "$python" ]; then
  echo "error: the project's Python is missing: run scripts/setup.sh" >&2
  exit 1
fi
exec env PYTHONDONTWRITEBYTECODE=1 "$python" "$root/scripts/lm/build_lm.py" "$@"
