#!/usr/bin/env bash
# Builds the packages of the runtime: brainquant-runtime for Debian, and a tarball of the same that may be unpacked anywhere.
# Needs the compiler and what the runtime itself is linked with, but not .venv. Prints their paths on stdout.
#   scripts/package.sh [OUTPUT_DIR]   build/packages unless named; packages of the same name there are replaced
set -euo pipefail
[ $# -le 1 ] || {
  echo "usage: scripts/package.sh [OUTPUT_DIR]" >&2
  exit 2
}
output="$(realpath -m -- "${1:-$(dirname "${BASH_SOURCE[0]}")/../build/packages}")"
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# dpkg-shlibdeps finds the dependencies; CPack asks `file` which of the files are libraries, and leaves the dependencies
# out without a word where it is missing.
for tool in ninja:ninja-build dpkg-deb:dpkg dpkg-shlibdeps:dpkg-dev file:file; do
  command -v "${tool%%:*}" >/dev/null || fail "no ${tool%%:*}: apt-get install ${tool##*:}"
done
cmake="$(find_cmake)"
cpack="$(dirname "$(command -v "$cmake")")/cpack"
build="$root/build/package"
log="$root/build/package.log"
umask 022 # folders in the packages are for everybody, whoever builds them
mkdir -p "$output" "$build"
exec 9>"$root/build/.package.lock"
flock 9

# step WHAT COMMAND...: what it prints is shown only if it fails.
step() {
  say "$1" >&2
  "${@:2}" >"$log" 2>&1 9>&- || {
    cat "$log" >&2
    fail "failed: $1"
  }
}
step "configuring build/package" "$cmake" --preset package
step "building build/package" "$cmake" --build --preset package
rm -rf "$build/packages"
step "packing" "$cpack" --config "$build/CPackConfig.cmake" -B "$build/packages"

shopt -s nullglob
packages=("$build"/packages/*.deb "$build"/packages/*.tar.gz)
[ ${#packages[@]} = 2 ] || fail "expected a .deb and a .tar.gz in $build/packages, found: ${packages[*]}"
dpkg-deb -f "${packages[0]}" Depends | grep -q . || fail "${packages[0]} names no dependencies"
cp -- "${packages[@]}" "$output"
rm -rf "$build/packages"
printf '%s\n' "${packages[@]/#"$build/packages"/"$output"}"
