#!/usr/bin/env bash
# What is to be said of the sources without running them: clang-format, shellcheck, ruff and the layers of the includes on all
# of them, clang-tidy (which is slow) on the C++ sources that differ from a base. Exit code 1 if one of them finds something.
#   scripts/check.sh [BASE]   a commit; 30 commits back unless named
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -le 1 ] || fail "scripts/check.sh [BASE]"
base="${1:-}"
if [ -n "$base" ]; then
  git rev-parse --quiet --verify "$base^{commit}" >/dev/null || fail "git knows no commit '$base'"
else
  base="$(git rev-parse --quiet --verify HEAD~30 || git rev-list --max-parents=0 HEAD | tail -n 1)"
fi
scripts/setup.sh

found=()
check() { # NAME COMMAND..., which reads file names from stdin, each ended by a zero byte
  say "$1"
  xargs -0 -r "${@:2}" || found+=("$1")
}

check clang-format clang-format --dry-run -Werror < <(git ls-files -z '*.h' '*.cpp' '*.c')
check shellcheck shellcheck -x -P SCRIPTDIR -s bash < <(git ls-files -z 'scripts/*.sh' .ci/run)
say "layers"
.venv/bin/python tests/layers/check_layers.py || found+=(layers)
check ruff .venv/bin/ruff check --quiet --no-cache < <(git ls-files -z '*.py')

# Files that a build knows: clang-tidy needs their options.
build=""
for folder in build/dev build/release; do
  if [ -e "$folder/compile_commands.json" ]; then
    build="$folder"
    break
  fi
done
if [ -z "$build" ]; then
  say "clang-tidy: left out, because no build is configured (cmake --preset dev)"
else
  # clang does not know all of GCC's warning options.
  check clang-tidy -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet --warnings-as-errors='*' \
    --extra-arg=-Wno-unknown-warning-option < <(
    git diff -z --name-only --diff-filter=d "$base" -- '*.cpp' |
      .venv/bin/python -c '
import json, os, sys
known = {os.path.relpath(entry["file"]) for entry in json.load(open(sys.argv[1]))}
sys.stdout.write("".join(name + "\0" for name in sys.stdin.read().split("\0") if name in known))' "$build/compile_commands.json"
  ) 2> >(grep -v -E '^[0-9]+ warnings? (generated|treated)|^Suppressed |^Use -' >&2 || true)
fi

[ ${#found[@]} = 0 ] || fail "found something: ${found[*]}"
say "nothing found"
