#!/usr/bin/env bash
# A page as it looks on a phone, a laptop and a large screen, light and dark (PNG), and on paper (PDF), in Chromium:
#   scripts/page_pictures.sh PAGE.html FOLDER
set -euo pipefail
here="$PWD"
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x .venv/bin/python ] || fail "no .venv: run scripts/setup.sh"
cd "$here"
exec "$root/.venv/bin/python" "$root/scripts/page/pictures.py" "$@"
