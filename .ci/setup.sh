# Shared by run.sh and test.sh: Debian packages, configuration, build. Sourced, defines setup_build.

# package: why it is needed
ftrun_packages="
g++:compiler
cmake:build system
ninja-build:build system
ccache:makes rebuilding fast
pkg-config:finds libraries
libboost-dev:Boost.DLL loads plugins
libboost-program-options-dev:command line
libyaml-cpp-dev:configuration files
libspdlog-dev:logging
libfmt-dev:message formatting
libtbb-dev:thread pool
nlohmann-json3-dev:JSON files
libpcre2-dev:tokenizer patterns
libutf8proc-dev:Unicode normalisation
libxxhash-dev:content hashes of caches
libopenmpi-dev:collectives between processes and hosts (plugin mpi; left out of the build when missing)
openmpi-bin:mpirun, which starts the ranks of such a run
libhwy-dev:SIMD kernels
libeigen3-dev:singular values (PiSSA)
libgtest-dev:tests
libgmock-dev:tests
libbenchmark-dev:micro-benchmarks
libopenblas0-pthread:matrix products that ftrun bench measures beside its own
libdnnl2:the same
"

say() { echo "[ftrun set-up] $*" >&2; }

# Installs missing packages; needs root or sudo.
install_packages() {
  command -v dpkg-query >/dev/null || {
    say "this is not a Debian system: install the equivalents of these packages yourself:"
    echo "$ftrun_packages" >&2
    return 0
  }
  local missing=() line package
  while IFS= read -r line; do
    [ -n "$line" ] || continue
    package=${line%%:*}
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing+=("$line")
  done <<<"$ftrun_packages"
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${#missing[@]} Debian packages:"
  local names=()
  for line in "${missing[@]}"; do
    say "  ${line%%:*} (${line#*:})"
    names+=("${line%%:*}")
  done
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      say "error: installing packages needs root. Run as root, install sudo, or install the packages above yourself."
      exit 1
    }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}" >/dev/null
}

# State of everything the build depends on: file list with times and sizes, so that an unchanged tree skips set-up.
source_state() {
  (cd "$1" && find CMakeLists.txt CMakePresets.json core plugins sdk tests configs .ci -type f -printf '%p %T@ %s\n' 2>/dev/null |
    LC_ALL=C sort | sha256sum)
}

# setup_build ROOT PRESET TARGET: packages, configure, build; skipped whole when nothing changed since it last succeeded.
setup_build() {
  local root=$1 preset=$2 target=$3 folder
  folder=$root/build
  [ "$preset" = release ] || folder=$root/build-$preset
  local stamp=$folder/.set-up-$target state
  state=$(source_state "$root")
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ] && return 0
  install_packages
  say "building ($preset) in ${folder#"$root"/}; the first time takes some minutes"
  local log=$folder/set-up.log
  umask go-w # ftrun refuses plugins that others may write
  mkdir -p "$folder"
  (cd "$root" && cmake --preset "$preset") >"$log" 2>&1 || { tail -n 30 "$log" >&2; say "configuring failed, see $log"; exit 1; }
  local started=$SECONDS
  if [ -t 2 ]; then
    cmake --build "$folder" --target "$target" --parallel "${FTRUN_JOBS:-$(nproc)}" >&2 || { say "the build failed"; exit 1; }
  else
    cmake --build "$folder" --target "$target" --parallel "${FTRUN_JOBS:-$(nproc)}" >>"$log" 2>&1 ||
      { grep -E 'error|FAILED' -A5 "$log" | head -n 60 >&2; say "the build failed, see $log"; exit 1; }
  fi
  say "built in $((SECONDS - started)) s"
  source_state "$root" >"$stamp"
}
