#!/usr/bin/env bash
# Makes this machine ready to build hexquant: system packages and ONNX Runtime. Does nothing where all is there.
#
#   scripts/setup.sh [--tests] [--qat]
#
#   --tests   also what ./test.sh needs (GoogleTest, clang tools, libFuzzer, LibTorch)
#   --qat     also LibTorch, for quantization-aware training (hexquant qat)
#
# Environment
#   ONNXRUNTIME_ROOT               use this ONNX Runtime (include/ and lib/)
#   HEXQUANT_ONNXRUNTIME_VERSION   fetch this version of the library instead of the tested one
#   HEXQUANT_ONNXRUNTIME_SHA256    the checksum that its wheel must have
#   HEXQUANT_PYTHON                the Python whose pip fetches it (default python3)
#   HEXQUANT_DEPS_DIR              where the prefix is kept (default build/deps)
#   HEXQUANT_SETUP_PACKAGES=skip   take the system packages for granted
#
# Writes env.sh into HEXQUANT_DEPS_DIR. Exit status: 0 ready, 2 usage, 3 something is missing (one line says what to do).
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$HERE/lib/common.sh"
# shellcheck source=scripts/lib/versions.sh
. "$HERE/lib/versions.sh"
# shellcheck source=scripts/lib/packages.sh
. "$HERE/lib/packages.sh"
# shellcheck source=scripts/lib/apt_mirrors.sh
. "$HERE/lib/apt_mirrors.sh"
# shellcheck source=scripts/lib/onnxruntime_root.sh
. "$HERE/lib/onnxruntime_root.sh"
# shellcheck source=scripts/lib/onnxruntime_wheel.sh
. "$HERE/lib/onnxruntime_wheel.sh"
# shellcheck source=scripts/lib/onnxruntime.sh
. "$HERE/lib/onnxruntime.sh"

main() {
  local with_tests=no with_qat=no option
  for option in "$@"; do
    case "$option" in
      --tests) with_tests=yes with_qat=yes ;;
      --qat) with_qat=yes ;;
      *)
        printf 'usage: scripts/setup.sh [--tests] [--qat]\n' >&2
        exit 2
        ;;
    esac
  done
  local packages=("${HEXQUANT_BUILD_PACKAGES[@]}")
  if [ "$with_tests" = yes ]; then packages+=("${HEXQUANT_TEST_PACKAGES[@]}"); fi
  if [ "$with_qat" = yes ]; then packages+=("${HEXQUANT_QAT_PACKAGES[@]}"); fi
  require_packages "${packages[@]}"
  if [ "$with_tests" = yes ]; then require_clang_runtime; fi
  choose_onnxruntime
  write_env_file
}

main "$@"
