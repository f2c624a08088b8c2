#!/usr/bin/env bash
# Installs what is missing, builds Release into build/, then runs build/bin/ftrun with the given arguments.
# A second call does no set-up work. FTRUN_JOBS limits the build's parallel jobs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$root/.ci/setup.sh"
setup_build "$root" release ftrun_all_binaries
exec "$root/build/bin/ftrun" "$@"
