#!/usr/bin/env bash
# Each plot of a page (comparison.html, experiment_*.html) as SVG and PNG:
#   scripts/plots.sh PAGE.html FOLDER
set -euo pipefail
here="$PWD"
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x .venv/bin/python ] || fail "no .venv: run scripts/setup.sh"
cd "$here"
exec "$root/.venv/bin/python" "$root/scripts/page/plots.py" "$@"
