#!/usr/bin/env bash
# exports.sh NM FOLDER: every plugin library in FOLDER exports the query function and nothing else. 77: there is none.
set -u
nm=$1 folder=$2
status=77
for library in "$folder"/*.so; do
  [ -e "$library" ] || continue
  [ $status -eq 77 ] && status=0
  symbols=$("$nm" -D --defined-only "$library" | awk '{print $NF}' | LC_ALL=C sort | tr '\n' ' ')
  # A version script's own name appears as an absolute symbol in some linkers; sanitizer builds may add theirs.
  if [ "$symbols" != "ftrun_plugin_query_v1 " ]; then
    echo "$library exports: $symbols"
    status=1
  fi
  undefined=$("$nm" -D --undefined-only "$library" | awk '{print $NF}' | grep '^ftrun_' || true)
  if [ -n "$undefined" ]; then
    echo "$library needs symbols of the host: $undefined"
    status=1
  fi
done
exit $status
