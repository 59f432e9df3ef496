#!/usr/bin/env bash
# The packages of scripts/package.sh on a fresh Debian 12, made in a temporary folder: the .deb installed by apt, the example in
# C compiled on it and its self test run on small quantized files; then the examples by CMake; then the same with the tarball
# instead of the .deb. Needs root, debootstrap, Debian's mirror (another one: MIRROR=URL) and 1 GB below $TMPDIR. Takes two
# to five minutes: run by hand, after changes to the build or the packages. Nothing of this system is mounted there.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# = 0 ] || {
  echo "usage: scripts/check_package.sh" >&2
  exit 2
}
[ "$(id -u)" = 0 ] || fail "scripts/check_package.sh needs root, for debootstrap and chroot"
for tool in debootstrap chroot findmnt; do
  command -v "$tool" >/dev/null || fail "no $tool: apt-get install debootstrap coreutils util-linux"
done

folder="$(realpath "$(mktemp -d)")"
debian="$folder/debian"
mounted() { findmnt --noheadings --list --output TARGET | awk -v below="$folder/" 'index($0, below) == 1'; }
# debootstrap mounts /proc and /sys there for a while, and an interruption may leave them. What is mounted is never deleted.
remove_folder() {
  local point
  while read -r point; do
    umount "$point" || true
  done < <(mounted | sort -r)
  if ! findmnt / >/dev/null || [ -n "$(mounted)" ]; then
    echo "error: something is still mounted below $folder: unmount it, then delete the folder" >&2
    return
  fi
  rm -rf --one-file-system "$folder"
}
trap remove_folder EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# quietly LOG COMMAND...: LOG, below the folder, is shown only if the command fails.
quietly() {
  "${@:2}" >"$folder/$1.log" 2>&1 </dev/null || {
    tail -n 50 "$folder/$1.log" >&2
    fail "failed: ${*:2}"
  }
}
inside() {
  chroot "$debian" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    ${http_proxy:+http_proxy="$http_proxy"} "$@"
}
apt_install() { quietly apt inside apt-get install -q -y --no-install-recommends "$@"; }
# self_test PROGRAM: every INT8 file that the fixtures have. Whether this machine is fast enough just now is not what is
# checked.
self_test() {
  local file said files=("$debian"/models/*qint*.pt)
  [ -e "${files[0]}" ] || fail "no quantized file to test with"
  for file in "${files[@]}"; do
    said="$(inside "$1" --selftest "/models/${file##*/}" 2>&1 </dev/null)" || true
    [[ "$said" =~ "checksums hold; ".*" on ".*"last bin to its logits".*$'\n'(NOT )?fit ]] ||
      fail "$1 --selftest ${file##*/} said: $said"
  done
  # A self test that can't fail would say nothing.
  if said="$(inside "$1" --selftest /models/README.md 2>&1 </dev/null)" || [[ "$said" != *README.md* ]]; then
    fail "$1 takes a file that is no model: $said"
  fi
  printf '%s: %s files\n' "$1" "${#files[@]}"
}
# by_cmake EXAMPLES BUILD ARGUMENTS...: the examples in C and C++, built and run.
by_cmake() {
  local said status=0
  quietly configure inside cmake -S "$1" -B "$2" "${@:3}"
  quietly build inside cmake --build "$2"
  self_test "$2/live_decoder"
  said="$(inside "$2/live_decoder_cpp" 2>&1 </dev/null)" || status=$?
  [ "$status" = 2 ] || fail "$2/live_decoder_cpp without arguments gave $status, expected 2: $said"
}

say "packages"
scripts/package.sh "$folder/packages"
deb=("$folder"/packages/*.deb)
tarball=("$folder"/packages/*.tar.gz)
suggested="$(dpkg-deb -f "${deb[0]}" Suggests | tr -d ',')"
doc=share/doc/brainquant-runtime

say "Debian 12"
quietly debootstrap debootstrap --variant=minbase bookworm "$debian" "${MIRROR:-http://deb.debian.org/debian}"
[ -z "$(mounted)" ] || fail "debootstrap left something mounted: $(mounted)"
mkdir "$debian/models" "$debian/packages"
cp tests/fixtures/quantized_file_v2/* "$debian/models"
cp "${deb[0]}" "${tarball[0]}" "$debian/packages"
quietly apt inside apt-get update -q

say "the .deb"
inside find / -xdev -path /packages -prune -o -iname '*brainquant*' -print >"$folder/before"
[ ! -s "$folder/before" ] || fail "a fresh system has: $(cat "$folder/before")"
apt_install "/packages/$(basename "${deb[0]}")"
missing="$(inside ldd /usr/lib/libbrainquant_c.so | grep 'not found' || true)"
[ -z "$missing" ] || fail "the package does not depend on all that its library needs: $missing"
inside sh -c 'ldconfig -p | grep -q libbrainquant_c.so.2' || fail "the loader does not know libbrainquant_c.so.2"
apt_install gcc libc6-dev
inside cc -std=c99 -D_DEFAULT_SOURCE -Wall -Wextra -Werror "/usr/$doc/examples/live_decoder.c" "/usr/$doc/examples/selftest.c" \
  -lbrainquant_c -o /tmp/live_decoder
self_test /tmp/live_decoder

say "the .deb, by CMake"
# shellcheck disable=SC2086  # one word a package
apt_install make $suggested
by_cmake "/usr/$doc/examples" /tmp/by_deb
# /lib is /usr/lib there; found by that name, the package must still look for its headers below /usr.
quietly configure inside cmake -S "/usr/$doc/examples" -B /tmp/by_root \
  -Dbrainquant_runtime_DIR=/lib/cmake/brainquant_runtime
quietly apt inside apt-get remove -q -y brainquant-runtime
left="$(inside find / -xdev \( -path /packages -o -path /tmp \) -prune -o -iname '*brainquant*' -print)"
[ -z "$left" ] || fail "after apt-get remove there are still: $left"

say "the tarball"
mkdir "$debian/opt/somewhere else"
tar -xzf "${tarball[0]}" -C "$debian/opt/somewhere else" --strip-components=1 --no-same-owner
by_cmake "/opt/somewhere else/$doc/examples" /tmp/by_tarball "-DCMAKE_PREFIX_PATH=/opt/somewhere else"
say "the packages work"
