#!/usr/bin/env bash
# Installs what is missing, builds hexquant with warnings as errors and runs every check.
# Continuous integration runs exactly this. Everything it makes lies below build/.
#
#   ./test.sh [--full] [--no-sanitize] [--no-fuzz] [--no-tidy]
#
#   --full   clang-tidy on every source instead of the changed ones
#
# HEXQUANT_TEST_HTP=yes accepts the licence of the vendor's HTP simulator (docs/set-up.md), installs it
# below build/ and makes the tests that need it fail where they would be skipped.
#
# Exit status: 0 all steps passed, 1 a step failed, 2 usage, 3 set-up could not provide something.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# shellcheck source=scripts/lib/common.sh
. scripts/lib/common.sh
# shellcheck source=scripts/lib/build.sh
. scripts/lib/build.sh
# shellcheck source=scripts/lib/test_steps.sh
. scripts/lib/test_steps.sh

FULL=no SANITIZE=yes FUZZ=yes TIDY=yes
for option in "$@"; do
  case "$option" in
    --full) FULL=yes ;;
    --no-sanitize) SANITIZE=no ;;
    --no-fuzz) FUZZ=no ;;
    --no-tidy) TIDY=no ;;
    *)
      printf 'usage: ./test.sh [--full] [--no-sanitize] [--no-fuzz] [--no-tidy]\n' >&2
      exit 2
      ;;
  esac
done

main() {
  mkdir -p "$LOG_DIR"
  use_compiler_cache
  scripts/setup.sh --tests
  step format check_format
  step configure configure_tests
  step build after configure build build/test
  if [ "${HEXQUANT_TEST_HTP:-no}" = yes ]; then step htp after build install_htp_simulator; fi
  step tests after build run_tests
  if [ "$SANITIZE" = yes ]; then
    step asan+ubsan after configure address_and_undefined
    step tsan after configure thread_sanitizer
  fi
  if [ "$FUZZ" = yes ]; then step fuzz after configure fuzz_smoke; fi
  step includes python3 scripts/check_includes.py
  step sizes python3 scripts/check_sizes.py
  step documents after build python3 scripts/check_docs.py --program build/test/bin/hexquant
  if [ "$TIDY" = yes ]; then step clang-tidy after configure run_tidy; fi
  print_summary
}

main
