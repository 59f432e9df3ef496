#!/usr/bin/env bash
# Set-up, build and every test. The last line is "N passed, N failed"; the exit code is 0 only if none failed and some ran.
#   scripts/test.sh                 the preset dev
#   scripts/test.sh --sanitizers    the presets asan and ubsan after it
#   scripts/test.sh --label smoke   only the tests with this label (any CTest label)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

presets=(dev)
select=()
while [ $# -gt 0 ]; do
  case "$1" in
    --sanitizers) presets+=(asan ubsan) ;;
    --label)
      [ $# -gt 1 ] || fail "--label needs a name"
      select=(-L "^$2\$")
      shift
      ;;
    *) fail "unknown argument '$1': scripts/test.sh [--sanitizers] [--label NAME]" ;;
  esac
  shift
done

passed=0
failed=0
for preset in "${presets[@]}"; do
  if ! scripts/build.sh "$preset" </dev/null; then
    echo "error: the preset $preset did not build, so none of its tests ran" >&2
    failed=$((failed + 1))
    continue
  fi
  say "tests of build/$preset"
  ctest="$(dirname "$(command -v "$(find_cmake)")")/ctest"
  results="build/$preset/test-results.xml"
  rm -f "$results"
  # What fails is counted below; ctest's own exit code adds nothing.
  ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0}" "$ctest" --test-dir "build/$preset" -j2 --output-on-failure --timeout 300 \
    --output-junit "$root/$results" "${select[@]}" </dev/null || true
  read -r ok bad < <(.venv/bin/python scripts/count_tests.py "$results")
  if [ "$ok" = 0 ] && [ "$bad" = 0 ]; then
    echo "error: no test of build/$preset ran" >&2
    bad=1
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
