#!/usr/bin/env bash
# tidy.sh [FILE ...]: clang-tidy (.clang-tidy says what is checked) over the sources of the host, the plugins and the SDK, or over
# the files named. Exits 1 when something is found. Needs clang-tidy, which set-up does not install.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
command -v clang-tidy >/dev/null || { echo "tidy.sh: clang-tidy is not installed (Debian: clang-tidy)" >&2; exit 2; }
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
# clang cannot read GCC's precompiled headers.
cmake -B "$build" -G Ninja -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >"$build/cmake.log" ||
  { tail -n 30 "$build/cmake.log" >&2; exit 2; }
# Options of GCC's own; its warnings as errors are the build's business.
sed -i 's/ -fno-gnu-unique//g; s/ -Wno-restrict//g; s/ -Werror//g' "$build/compile_commands.json"
if [ $# -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(git ls-files 'core/*.cpp' 'plugins/*.cpp' 'sdk/*.cpp')
fi
# A file that is not built here (a plugin whose library is missing) has no command.
known=()
for file in "${files[@]}"; do
  if grep -qF "\"file\": \"$root/${file#"$root"/}\"" "$build/compile_commands.json"; then
    known+=("$file")
  else
    echo "[tidy] not built here, left out: $file" >&2
  fi
done
[ ${#known[@]} -gt 0 ] || { echo "tidy.sh: none of these files is built" >&2; exit 2; }
echo "[tidy] $(clang-tidy --version | grep -o 'version.*'), ${#known[@]} files" >&2
check() { # BUILD FILE
  local log
  log=$(mktemp -p "$1")
  clang-tidy -p "$1" --quiet "$2" >"$log" 2>&1 && return 0
  grep -vE '^[0-9]+ warnings? (generated|treated)' "$log"
  echo "[tidy] not clean: $2"
  return 1
}
export -f check
printf '%s\n' "${known[@]}" | xargs -P "${FTRUN_JOBS:-$(nproc)}" -I '{}' bash -c 'check "$@"' _ "$build" '{}' ||
  { echo "[tidy] findings: see above" >&2; exit 1; }
echo "[tidy] clean" >&2
