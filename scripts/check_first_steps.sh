#!/usr/bin/env bash
# What somebody new does first, done in a fresh clone of HEAD in a temporary folder (with this folder's .venv): the demo, then
# the smoke test and the installation in what the demo left, then both in a folder that was only configured. Takes
# ten minutes or more: run by hand, after changes to the build.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cmake="$(find_cmake)"
ctest="$(dirname "$(command -v "$cmake")")/ctest"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
git clone -q "$root" "$folder/clone"
ln -s "$(realpath .venv)" "$folder/clone/.venv"
cd "$folder/clone"

# The smoke tests of a build must run, and not be none.
smoke_test() {
  "$ctest" --test-dir "$1" -L smoke --output-on-failure --no-tests=error
}
# Whether what was installed starts and names the commit that was built.
check_installed() {
  local program version file
  version="$(sed -n 's/.*kVersion = "\(.*\)".*/\1/p' include/brainquant/version.h) ($(git rev-parse HEAD))"
  for program in quantize_model evaluate_quantized_model test_all_quantization_methods run_quantization_experiment; do
    found="$("$1/bin/$program" --version | head -n 1)"
    [ "$found" = "$program $version" ] || fail "the installed $program says '$found', expected '$program $version'"
  done
  for file in c_api.h libbrainquant.a libbrainquant_runtime.a libbrainquant_c.so libbrainquant_c_torch.so \
    brainquantConfig.cmake brainquant_runtimeConfig.cmake; do
    [ -n "$(find "$1" -name "$file")" ] || fail "$file was not installed"
  done
}

say "scripts/demo.sh"
scripts/demo.sh
[ ! -e build/release/bin/smoke_test ] || fail "the demo built a test"
say "smoke test after the demo"
smoke_test build/release
say "installation after the demo"
"$cmake" --install build/release --prefix "$folder/after_demo" >/dev/null
check_installed "$folder/after_demo"

say "installation and smoke test of what was only configured"
"$cmake" --preset dev >/dev/null
"$cmake" --install build/dev --prefix "$folder/after_configuration" >/dev/null
check_installed "$folder/after_configuration"
smoke_test build/dev
say "the first steps work"
