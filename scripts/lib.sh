# Shared by the scripts in this folder, which source it. Sets `root`, the project's folder, and goes there.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root" || exit

say() { printf '== %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Prints the first cmake that is 3.25 or newer: $CMAKE, the one in PATH, Debian's.
find_cmake() {
  local candidate version
  for candidate in "${CMAKE:-}" cmake /usr/bin/cmake; do
    [ -n "$candidate" ] || continue
    version="$("$candidate" --version 2>/dev/null | sed -n 's/^cmake version //p')" || continue
    if [ -n "$version" ] && [ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n1)" = 3.25 ]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "no cmake of version 3.25 or newer: run scripts/setup.sh, or name one: CMAKE=/path/to/cmake"
}
