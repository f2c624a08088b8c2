#!/usr/bin/env bash
# compile_headers.sh c|cpp INCLUDE_DIR: every header compiles by itself, with gcc and (where installed) clang.
# c: the C headers as C11, C17, C++17, C++20. cpp: the C++ layer as C++17, C++20.
set -u
language=$1
include=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wundef -Werror"
compilers=gcc
command -v clang >/dev/null && compilers="gcc clang"

if [ "$language" = c ]; then
  headers=$(cd "$include" && find ftrun -name '*.h' | sort)
  modes="c:c11 c:c17 c++:c++17 c++:c++20"
else
  headers=$(cd "$include" && find ftrun -name '*.hpp' | sort)
  modes="c++:c++17 c++:c++20"
fi
[ -n "$headers" ] || { echo "no headers below $include"; exit 1; }

for compiler in $compilers; do
  for mode in $modes; do
    for header in $headers; do
      echo "$compiler ${mode%%:*} ${mode##*:} $header"
    done
  done
done >"$work/jobs"

compile() {
  # clang counts functions of a header that nobody calls as unused; callers of the header do not.
  printf '#include "%s"\n#include "%s"\n' "$4" "$4" |
    "$1" -x "$2" -std="$3" -fsyntax-only $warnings -I "$include" - >"$work/$BASHPID.log" 2>&1 && return 0
  echo "FAILED: $1 -std=$3 $4"
  head -n 20 "$work/$BASHPID.log"
  return 1
}
export -f compile
export warnings include work
xargs -P "$(nproc)" -L 1 bash -c 'compile "$@"' _ <"$work/jobs" || exit 1
echo "$(wc -l <"$work/jobs") compilations passed"
