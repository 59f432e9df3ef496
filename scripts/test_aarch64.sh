#!/usr/bin/env bash
# The runtime on aarch64: cross-built on Debian, its kernels run under qemu-user against the reference's bits. Speed is not
# measured there. Needs root once, to install the compiler, the emulator and the libraries of that architecture.
#   scripts/test_aarch64.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
packages=(g++-aarch64-linux-gnu qemu-user libfmt-dev:arm64 libzip-dev:arm64 zlib1g-dev:arm64 libssl-dev:arm64 libgtest-dev:arm64)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  dpkg --print-foreign-architectures | grep -qx arm64 || $sudo dpkg --add-architecture arm64
  $sudo apt-get update -q
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
fi
cmake="$(find_cmake)"
"$cmake" --preset aarch64
"$cmake" --build --preset aarch64
# dotprod only, and no such feature: one kernel each.
for cpu in max cortex-a72; do
  QEMU_CPU=$cpu "${cmake%cmake}ctest" --preset aarch64 -j"$(nproc)" --timeout 900
done
