#!/usr/bin/env bash
# test.sh [LABEL]: the same set-up as run.sh plus the tests, then ctest (all tests, or those with a label: quick, full, slow,
# asan, tsan, tsan-threads). asan and tsan build those presets and run the quick tests under the sanitizer; tsan-threads only
# those that work with several threads.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$root/.ci/setup.sh"
label=${1:-}
# Most tests cannot fill a machine by themselves: two run at a time.
at_a_time=(--parallel 2)
case "$label" in
  asan | tsan)
    setup_build "$root" "$label" all
    cd "$root" && exec ctest --preset "$label" "${at_a_time[@]}"
    ;;
  tsan-threads)
    setup_build "$root" tsan threaded_tests
    cd "$root" && exec ctest --preset tsan -L threads "${at_a_time[@]}"
    ;;
  "" | quick | full | slow)
    setup_build "$root" release all
    cd "$root/build" && exec ctest --output-on-failure "${at_a_time[@]}" ${label:+-L "^$label\$"}
    ;;
  *)
    echo "test.sh: unknown label '$label': expected quick, full, slow, asan, tsan, tsan-threads, or none for everything" >&2
    exit 2
    ;;
esac
