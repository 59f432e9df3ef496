#!/usr/bin/env bash
# Set-up, then configuration and build of one preset (release unless named): scripts/build.sh [PRESET] [NINJA ARGUMENTS...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

preset="${1:-release}"
shift || true
scripts/setup.sh
cmake="$(find_cmake)"
log="build/$preset-configure.log"
say "configuring build/$preset"
"$cmake" --preset "$preset" >"$log" 2>&1 || {
  cat "$log" >&2
  fail "CMake could not configure the preset $preset"
}
say "building build/$preset"
"$cmake" --build --preset "$preset" -- "$@"
