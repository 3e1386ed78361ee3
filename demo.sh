#!/usr/bin/env bash
# Installs what is missing, builds hexquant and quantizes the embedded sample.
# Everything it makes lies below build/. Run it again: it only does what is left to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# shellcheck source=scripts/lib/common.sh
. scripts/lib/common.sh
# shellcheck source=scripts/lib/build.sh
. scripts/lib/build.sh

# Runs a command quietly; shows what it printed only where it fails.
quietly() {
  local log=$1 status=0
  shift
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" != 0 ]; then
    tail -n 60 "$log" >&2
    say "failed: $* (the whole output is in $log)"
    exit "$status"
  fi
}

build_program() {
  use_compiler_cache
  mkdir -p build/release
  if [ ! -x build/release/bin/hexquant ]; then say "building the program (some minutes the first time)"; fi
  quietly build/release/configure.log configure build/release -DCMAKE_BUILD_TYPE=Release -DHEXQUANT_BUILD_TESTS=OFF
  quietly build/release/build.log build build/release
}

quantize_sample() {
  local sample=examples/digits
  build/release/bin/hexquant quantize "$sample/model.onnx" \
    --data "$sample/calibration_images.npy" --preprocess "$sample/preprocess.json" \
    --evaluate --eval-data "$sample/test_images.npy" --labels "$sample/test_labels.npy" --metric top1 \
    -o build/demo
}

if [ "$#" -ne 0 ]; then
  printf 'usage: ./demo.sh\n' >&2
  exit 2
fi
scripts/setup.sh
build_program
quantize_sample
printf '\nreport:  %s\nmodel:   %s\nprogram: %s\n' "$PWD/build/demo/report.html" "$PWD/build/demo/model.onnx" \
  "$PWD/build/release/bin/hexquant"
