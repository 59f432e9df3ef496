#!/usr/bin/env bash
# What the methods must reach, as a table of target, measured, pass or fail, for any checkpoint and data set; exit code 1 if
# a line fails:  scripts/acceptance.sh MODEL DATA CSV [--threads N] [--only quality speed memory quantize bad_input]
set -euo pipefail
# Names are the caller's: relative to where the caller is.
[ $# -ge 3 ] || { sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
model="$(realpath -- "$1")" data="$(realpath -- "$2")" csv="$(realpath -- "$3")"
shift 3
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/build.sh release
exec .venv/bin/python scripts/acceptance/acceptance.py "$model" "$data" "$csv" "$@"
