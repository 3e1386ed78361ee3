# Configures and builds; sourced, never run. Needs common.sh.
# shellcheck shell=bash

# As many compilers as there are cores, but no more than the memory carries (2 GiB each).
build_jobs() {
  local cores memory_kib fitting
  cores=$(nproc 2>/dev/null || echo 2)
  memory_kib=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo 2>/dev/null || true)
  fitting=$((${memory_kib:-4194304} / 2097152))
  if [ "$fitting" -lt 1 ]; then fitting=1; fi
  printf '%s\n' "$((cores < fitting ? cores : fitting))"
}

# Lets a compiler cache serve every build folder and every clone.
use_compiler_cache() {
  export CCACHE_BASEDIR=$HEXQUANT_SOURCE_DIR CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
}

# configure FOLDER [cmake options]: runs CMake unless the folder was configured with the same options.
# shellcheck disable=SC2154
configure() {
  local folder=$1 options
  shift
  # shellcheck source=/dev/null
  . "$HEXQUANT_ENV_FILE"
  options=(-G Ninja "-DONNXRUNTIME_ROOT=$HEXQUANT_ONNXRUNTIME_ROOT" "$@")
  if have ccache; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  if [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/configured-with.txt" 2>/dev/null)" = "${options[*]}" ]; then
    return 0
  fi
  # The found files are forgotten so that another ONNXRUNTIME_ROOT takes effect.
  cmake -S "$HEXQUANT_SOURCE_DIR" -B "$folder" -UONNXRUNTIME_INCLUDE_DIR -UONNXRUNTIME_LIBRARY "${options[@]}" ||
    return
  printf '%s\n' "${options[*]}" >"$folder/configured-with.txt"
}

# build FOLDER [targets]
build() {
  local folder=$1
  shift
  cmake --build "$folder" --parallel "$(build_jobs)" ${1:+--target "$@"}
}
