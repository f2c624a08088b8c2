#!/usr/bin/env bash
# install_test.sh SOURCE BUILD CMAKE CXX CC: what a user of the SDK does, from an installed ftrun.
set -eu
source=$1 build=$2 cmake=$3 cxx=$4 cc=$5
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
unset FTRUN_PLUGIN_PATH FTRUN_LOG

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || { tail "$work/install.log"; fail "cmake --install"; }
ftrun=$work/prefix/bin/ftrun
[ -x "$ftrun" ] || fail "bin/ftrun is not installed"
"$ftrun" version || fail "the installed program does not start"

# Our own plugins are found beside the installed program, and only there.
if ls "$build"/lib/ftrun/plugins/*.so >/dev/null 2>&1; then
  "$ftrun" plugins list >"$work/list"
  grep -q "$work/prefix/lib" "$work/list" || { cat "$work/list"; fail "the installed plugins are not found"; }
  grep -q "$build" "$work/list" && { cat "$work/list"; fail "plugins of the build tree are found"; }
fi

# A moved install still works: nothing remembers the prefix.
mv "$work/prefix" "$work/moved"
ftrun=$work/moved/bin/ftrun

cp -r "$source/sdk/template" "$work/template"
"$cmake" -S "$work/template" -B "$work/template/build" -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="-Wall -Wextra -Wpedantic -Werror" \
  -DCMAKE_CXX_FLAGS="-Wall -Wextra -Wpedantic -Werror" >"$work/template.log" 2>&1 || { tail -n 30 "$work/template.log"; fail "configuring the template"; }
"$cmake" --build "$work/template/build" >"$work/template.log" 2>&1 || { tail -n 30 "$work/template.log"; fail "building the template"; }

for plugin in brevity keyword; do
  library=$work/template/build/reward_$plugin.so
  "$ftrun" plugins check "$library" || fail "plugins check $plugin"
  "$ftrun" plugins info $plugin --plugin_path "$work/template/build" >"$work/info" || fail "plugins info $plugin"
  grep -q "^reward '$plugin' 1.0.0: " "$work/info" || { cat "$work/info"; fail "plugins info $plugin"; }
done
grep -q -- "--reward.keyword (because)" "$work/info" || { cat "$work/info"; fail "the C plugin's option is missing"; }
FTRUN_PLUGIN_PATH=$work/template/build "$ftrun" plugins list | grep -q brevity || fail "FTRUN_PLUGIN_PATH is not read"
echo "installed, built out of tree, loaded"
