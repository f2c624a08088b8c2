#!/usr/bin/env bash
# layout.sh check|update CC INCLUDE_DIR GOLDEN: size and member offsets of every ABI struct, compared with the committed ones.
# Once 1.0 is frozen its golden never changes; a later minor gets a golden of its own beside it.
set -eu
action=$1 cc=$2 include=$3 golden=$4
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find "$include/ftrun" -name '*.h' | LC_ALL=C sort | xargs awk -f "$here/layout.awk" >"$work/layout.c"
"$cc" -std=c11 -I "$include" -o "$work/layout" "$work/layout.c"
"$work/layout" >"$work/layout.json"
if [ "$action" = update ]; then
  cp "$work/layout.json" "$golden"
  exit 0
fi
if ! diff -u "$golden" "$work/layout.json"; then
  echo "The layout of the C ABI differs from $golden."
  echo "Draft: $0 update $cc $include $golden, and a line in sdk/CHANGELOG.md. Frozen: only append, under a new minor."
  exit 1
fi
echo "$(grep -c sizeof "$golden") structs have their layout"
