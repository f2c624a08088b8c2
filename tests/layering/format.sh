#!/usr/bin/env bash
# format.sh ROOT: every C++ and C file is as .clang-format has it. Left out: the C headers of the ABI, whose columns are set by
# hand. Exits 77 (skipped) without clang-format 14, Debian 12's: other versions break lines elsewhere.
set -euo pipefail
cd "$1"
clang_format=$(command -v clang-format-14 || command -v clang-format) || { echo "clang-format is not installed: skipped"; exit 77; }
"$clang_format" --version | grep -q 'version 14\.' || { echo "$("$clang_format" --version) is not 14: skipped"; exit 77; }
find core plugins sdk tests configs \( -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' \) -type f \
  ! \( -path 'sdk/include/*' -name '*.h' \) -print0 | xargs -0 "$clang_format" --dry-run --Werror
