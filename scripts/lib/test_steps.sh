# The steps of ./test.sh and the table of their times; sourced, never run. Needs common.sh and build.sh.
# shellcheck shell=bash

LOG_DIR=$HEXQUANT_SOURCE_DIR/build/test-logs
CLANG_FORMAT_MAJOR=14
FUZZ_SECONDS=5
# A module's tests take seconds; a hanging one must not eat the time limit of the whole run.
TEST_PROGRAM_LIMIT_S=900
# Where the vendor's HTP simulator goes when the run is asked to install it.
HTP_DATA_HOME=$HEXQUANT_SOURCE_DIR/build/htp

declare -A STEP_RESULT=()
STEP_NAMES=() STEP_SECONDS=()

# step NAME [after OTHER] COMMAND...: runs, times and logs one step; a failure is remembered, not fatal.
step() {
  local name=$1 begin=$SECONDS status=0
  shift
  if [ "$1" = after ]; then
    if [ "${STEP_RESULT[$2]:-}" != passed ]; then
      record_step "$name" "left out: $2 failed" 0
      return 0
    fi
    shift 2
  fi
  printf '\n=== %s\n' "$name"
  # A subshell outside any condition, so that errexit holds inside the step.
  set +e
  (set -e && "$@") 2>&1 | tee "$LOG_DIR/$name.log"
  status=${PIPESTATUS[0]}
  set -e
  if [ "$status" = 0 ]; then
    record_step "$name" passed "$((SECONDS - begin))"
  else
    record_step "$name" "FAILED ($status)" "$((SECONDS - begin))"
  fi
}

record_step() {
  STEP_NAMES+=("$1")
  STEP_RESULT[$1]=$2
  STEP_SECONDS+=("$3")
  printf -- '--- %s: %s, %d s\n' "$1" "$2" "$3"
}

# The table of times, the closing lines of CTest, and the exit status of the run.
print_summary() {
  local index name failed=0
  printf '\n%-12s %8s  %s\n' step seconds result
  for index in "${!STEP_NAMES[@]}"; do
    name=${STEP_NAMES[$index]}
    printf '%-12s %8d  %s\n' "$name" "${STEP_SECONDS[$index]}" "${STEP_RESULT[$name]}"
    if [ "${STEP_RESULT[$name]}" != passed ]; then failed=$((failed + 1)); fi
  done
  printf '%-12s %8d\n\n' all "$SECONDS"
  if [ "${STEP_RESULT[tests]:-}" != "left out: build failed" ]; then
    sed -n '/tests passed, /,$p' "$LOG_DIR/tests.log" 2>/dev/null || true
  fi
  print_failures
  printf '\nsteps: %d passed, %d failed\n' "$((${#STEP_NAMES[@]} - failed))" "$failed"
  [ "$failed" = 0 ]
}

# What failed, once more where the reader looks first: the logs of the steps are long, and a service that
# keeps only the end of the output must not lose the reason.
print_failures() {
  local name
  for name in "${STEP_NAMES[@]}"; do
    case "${STEP_RESULT[$name]}" in FAILED*) ;; *) continue ;; esac
    printf '\nfailed in %s (%s):\n' "$name" "build/test-logs/$name.log"
    grep -nE -A 6 'Failure$|ERROR: |runtime error: |SUMMARY: |FAILED|terminate called|Killed|CMake Error|error: ' \
      "$LOG_DIR/$name.log" | cut -c 1-240 | tail -n 60 || true
  done
}

# Releases of clang-format differ in details; only the one that formats this project can judge.
check_format() {
  local files major
  major=$(clang-format --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
  if [ "$major" != "$CLANG_FORMAT_MAJOR" ]; then
    printf 'format: not checked, clang-format %s is needed and %s is installed\n' "$CLANG_FORMAT_MAJOR" "$major"
    return 0
  fi
  mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp')
  clang-format --dry-run -Werror "${files[@]}"
  printf 'format: %d files\n' "${#files[@]}"
}

configure_tests() {
  configure build/test -DCMAKE_BUILD_TYPE=Release -DHEXQUANT_WERROR=ON -DHEXQUANT_BUILD_TESTS=ON \
    -DHEXQUANT_BUILD_BENCH=ON -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
}

# Accepts the licence: only for runs that ask for it (HEXQUANT_TEST_HTP).
install_htp_simulator() {
  XDG_DATA_HOME=$HTP_DATA_HOME build/test/bin/hexquant setup htp --accept-licence
}

run_tests() {
  if [ "${HEXQUANT_TEST_HTP:-no}" = yes ]; then
    export HEXQUANT_QNN_ROOT=${HEXQUANT_QNN_ROOT:-$HTP_DATA_HOME/hexquant/qnn} HEXQUANT_REQUIRE_HTP=1
  fi
  ctest --test-dir build/test --output-on-failure --timeout "$TEST_PROGRAM_LIMIT_S" --parallel "$(build_jobs)" --no-tests=error
}

# Optimized a little: the tests of a plain debug build take several times as long. Without LibTorch, which
# was not built for sanitizers.
configure_sanitizer() {
  configure "build/$1" -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1" "-DHEXQUANT_SANITIZE=$2" -DHEXQUANT_WITH_QAT=OFF
}

address_and_undefined() {
  configure_sanitizer asan address,undefined
  build build/asan
  # The vendor libraries fill containers without the annotations that this check needs.
  export ASAN_OPTIONS=detect_container_overflow=0:strict_string_checks=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export LSAN_OPTIONS=suppressions=$HEXQUANT_SOURCE_DIR/scripts/sanitizers/lsan.supp:print_suppressions=0
  run_test_programs build/asan/bin/*_test
}

thread_sanitizer() {
  configure_sanitizer tsan thread
  build build/tsan core_test calibrate_test
  export TSAN_OPTIONS=suppressions=$HEXQUANT_SOURCE_DIR/scripts/sanitizers/tsan.supp:halt_on_error=1:ignore_noninstrumented_modules=1
  run_test_programs build/tsan/bin/core_test build/tsan/bin/calibrate_test
}

# Runs each program whole; the sanitizers of this compiler need the classic layout of the address space.
# Without the vendor's simulator: its libraries are not made for a process with a sanitizer.
run_test_programs() {
  local program runner=() failed=0
  unset HEXQUANT_QNN_ROOT HEXQUANT_REQUIRE_HTP
  export XDG_DATA_HOME=$HEXQUANT_SOURCE_DIR/build/no-htp
  if setarch "$(uname -m)" -R true 2>/dev/null; then runner=(setarch "$(uname -m)" -R); fi
  for program in "$@"; do
    printf '%s\n' "$program"
    "${runner[@]}" timeout "$TEST_PROGRAM_LIMIT_S" "$program" --gtest_brief=1 || failed=$((failed + 1))
  done
  [ "$failed" = 0 ]
}

# Each fuzz target over its committed corpus and some seconds beyond.
fuzz_smoke() {
  local source name targets=() scratch
  for source in tests/fuzz/fuzz_*.cpp; do targets+=("$(basename "$source" .cpp)"); done
  configure build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_CXX_FLAGS=-fsanitize=fuzzer-no-link -DHEXQUANT_BUILD_FUZZERS=ON -DHEXQUANT_BUILD_TESTS=OFF -DHEXQUANT_WITH_QAT=OFF \
    -DHEXQUANT_SANITIZE=address,undefined
  build build/fuzz "${targets[@]}"
  scratch=$(mktemp -d)
  for name in "${targets[@]}"; do
    mkdir "$scratch/$name"
    cp -r "tests/fuzz/corpus/$name/." "$scratch/$name/"
    printf '%s: %d seeds\n' "$name" "$(find "$scratch/$name" -type f | wc -l)"
    ASAN_OPTIONS=detect_container_overflow=0 "build/fuzz/bin/$name" -max_total_time="$FUZZ_SECONDS" -rss_limit_mb=4096 \
      -timeout=10 -verbosity=0 -print_final_stats=1 -artifact_prefix="$LOG_DIR/" "$scratch/$name"
  done
  rm -rf "$scratch"
}

run_tidy() {
  local options=()
  if [ "$FULL" = yes ]; then options+=(--full); fi
  python3 scripts/tidy.py --build build/test "${options[@]}"
}
