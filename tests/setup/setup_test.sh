#!/usr/bin/env bash
# Tests of scripts/setup.sh, each branch on a fake machine. usage: setup_test.sh [CASE...]
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE_DIR=$(cd "$HERE/../.." && pwd)
REAL_PYTHON=$(python3 -c 'import sys; print(sys.executable)')
REAL_CC=$(command -v cc || command -v gcc || command -v clang)
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
SETUP_ENVIRONMENT=()

# shellcheck source=scripts/lib/packages.sh
. "$SOURCE_DIR/scripts/lib/packages.sh"
# shellcheck source=tests/setup/fake_machine.sh
. "$HERE/fake_machine.sh"

# --- the usual way

test_bare_debian_makes_a_prefix() {
  make_machine debian12
  run_setup
  expect_ready
  expect_output "library 1.32.0, headers of API 23 (headers from Debian forky, library from the Python package)"
  expect_call '^list deb \[signed-by=.*/debian-archive-keyring.gpg\] http://mirror.invalid/debian forky main$'
  expect_call '^pip download .*--platform manylinux_2_28_.* onnxruntime==1.32.0$'
  local prefix=$BOX/deps/onnxruntime-1.32.0-1.23.2
  expect_env "HEXQUANT_ONNXRUNTIME_ROOT=$prefix"
  [ -r "$prefix/include/onnxruntime/onnxruntime_cxx_api.h" ] || fail "headers are missing"
  [ "$(readlink "$prefix/lib/libonnxruntime.so")" = libonnxruntime.so.1 ] || fail "link libonnxruntime.so is wrong"
  [ "$(readlink "$prefix/lib/libonnxruntime.so.1")" = libonnxruntime.so.1.32.0 ] || fail "soname link is wrong"
  [ "$(find "$BOX/deps" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ] || fail "scratch files are left"
}

test_second_run_is_quick_and_asks_nobody() {
  make_machine debian12
  run_setup --tests
  expect_ready
  : >"$BOX/state/log"
  local begin=${EPOCHREALTIME/./}
  run_setup --tests
  expect_ready
  expect_output "prefix made earlier"
  expect_no_call .
  [ $((${EPOCHREALTIME/./} - begin)) -lt 1000000 ] || fail "the second run takes more than a second"
}

test_wrong_option_is_a_usage_error() {
  make_machine debian12
  run_setup --wrong
  [ "$STATUS" = 2 ] || fail "status 2 is expected"
  expect_output "usage: scripts/setup.sh"
}

# --- system packages

test_root_installs_exactly_what_is_missing() {
  make_machine debian12
  uninstall libonnx-dev libjs-vega
  run_setup
  expect_ready
  expect_call '^apt-get update'
  expect_call '^apt-get install .* libonnx-dev libjs-vega$'
}

test_test_packages_only_on_request() {
  make_machine debian12
  uninstall libgtest-dev
  run_setup
  expect_ready
  expect_no_call '^apt-get install'
  run_setup --tests
  expect_ready
  expect_call '^apt-get install .* libgtest-dev$'
}

test_libtorch_only_on_request() {
  make_machine debian12
  uninstall libtorch-dev
  run_setup
  expect_ready
  expect_no_call '^apt-get install'
  run_setup --qat
  expect_ready
  expect_call '^apt-get install .* libtorch-dev$'
}

test_command_on_path_counts_as_installed() {
  make_machine debian12
  uninstall cmake
  printf '#!/bin/sh\n' >"$BOX/bin/cmake"
  chmod +x "$BOX/bin/cmake"
  run_setup
  expect_ready
  expect_no_call '^apt-get install'
}

test_fuzzer_runtime_of_this_clang_is_installed() {
  make_machine debian12
  cp "$HERE/optional_fakes/clang" "$BOX/bin/"
  run_setup --tests
  expect_ready
  expect_call '^apt-get install .* libclang-rt-17-dev$'
}

test_without_root_names_the_packages() {
  make_machine debian12
  echo 1000 >"$BOX/state/uid"
  uninstall libonnx-dev libeigen3-dev
  run_setup
  expect_stop "not root and no sudo" "apt-get install libonnx-dev libeigen3-dev"
  expect_no_call '^apt-get install'
}

test_without_root_goes_on_where_nothing_is_missing() {
  make_machine debian12
  echo 1000 >"$BOX/state/uid"
  run_setup --tests
  expect_ready
  expect_output "headers from Debian forky"
}

test_sudo_without_password_is_used() {
  make_machine debian12
  echo 1000 >"$BOX/state/uid"
  uninstall libonnx-dev
  cp "$HERE/optional_fakes/sudo" "$BOX/bin/"
  run_setup
  expect_ready
  expect_call '^sudo env .*apt-get install .* libonnx-dev$'
}

test_sudo_with_password_and_no_terminal_is_no_root() {
  make_machine debian12
  echo 1000 >"$BOX/state/uid"
  uninstall libonnx-dev
  printf '#!/bin/sh\nexit 1\n' >"$BOX/bin/sudo"
  chmod +x "$BOX/bin/sudo"
  run_setup
  expect_stop "apt-get install libonnx-dev"
}

test_failing_install_gives_the_reason_of_apt() {
  make_machine debian12
  uninstall libcli11-dev
  echo 'E: Unable to locate package libcli11-dev' >"$BOX/state/install_error"
  run_setup
  expect_stop "E: Unable to locate package libcli11-dev" "check the package sources"
}

test_system_without_apt_names_the_packages() {
  make_machine debian12
  rm "$BOX/bin/apt-get" "$BOX/bin/dpkg-query"
  run_setup
  expect_stop "no apt-get" "libonnx-dev" "HEXQUANT_SETUP_PACKAGES=skip"
}

test_packages_can_be_taken_for_granted() {
  make_machine debian12
  uninstall libonnx-dev
  SETUP_ENVIRONMENT=(HEXQUANT_SETUP_PACKAGES=skip)
  run_setup
  expect_ready
  expect_no_call '^apt-get install'
}

# --- ONNXRUNTIME_ROOT and system packages of ONNX Runtime

test_root_variable_comes_first() {
  make_machine debian12
  add_ort "$BOX/root/usr" 1.24.0 24 24
  add_ort "$BOX/mine" 1.25.1 25 23
  SETUP_ENVIRONMENT=("ONNXRUNTIME_ROOT=$BOX/mine")
  run_setup
  expect_ready
  expect_output "library 1.25.1, headers of API 23 (ONNXRUNTIME_ROOT)"
  expect_env "HEXQUANT_ONNXRUNTIME_ROOT=$BOX/mine"
  expect_no_call .
}

test_root_variable_with_flat_headers_and_lib64() {
  make_machine debian12
  add_ort "$BOX/mine" 1.25.1 25 23
  mv "$BOX/mine/include/onnxruntime/"* "$BOX/mine/include/"
  mv "$BOX/mine/lib" "$BOX/mine/lib64"
  SETUP_ENVIRONMENT=("ONNXRUNTIME_ROOT=$BOX/mine")
  run_setup
  expect_ready
  expect_env "HEXQUANT_ONNXRUNTIME_ROOT=$BOX/mine"
}

test_root_variable_without_headers() {
  make_machine debian12
  add_ort "$BOX/mine" 1.25.1 25 23
  rm -r "$BOX/mine/include"
  SETUP_ENVIRONMENT=("ONNXRUNTIME_ROOT=$BOX/mine")
  run_setup
  expect_stop "ONNXRUNTIME_ROOT is not usable" "has no onnxruntime_cxx_api.h"
}

test_root_variable_without_library() {
  make_machine debian12
  add_ort "$BOX/mine" 1.25.1 25 23
  rm -r "$BOX/mine/lib"
  SETUP_ENVIRONMENT=("ONNXRUNTIME_ROOT=$BOX/mine")
  run_setup
  expect_stop "ONNXRUNTIME_ROOT is not usable" "has no libonnxruntime.so"
}

test_root_variable_with_a_library_older_than_its_headers() {
  make_machine debian12
  add_ort "$BOX/mine" 1.21.0 21 23
  SETUP_ENVIRONMENT=("ONNXRUNTIME_ROOT=$BOX/mine")
  run_setup
  expect_stop "library 1.21.0" "older than its headers (API 23)"
}

test_root_variable_with_very_old_headers() {
  make_machine debian12
  add_ort "$BOX/mine" 1.10.0 10 10
  SETUP_ENVIRONMENT=("ONNXRUNTIME_ROOT=$BOX/mine")
  run_setup
  expect_stop "have API 10, at least 21 is needed"
}

test_root_variable_with_a_broken_library() {
  make_machine debian12
  add_ort "$BOX/mine" 1.25.1 25 23
  echo "not a library" >"$BOX/mine/lib/libonnxruntime.so"
  SETUP_ENVIRONMENT=("ONNXRUNTIME_ROOT=$BOX/mine")
  run_setup
  expect_stop "cannot be loaded on this machine"
}

test_new_system_package_is_used() {
  make_machine debian12
  add_ort "$BOX/root/usr" 1.24.0 24 24
  run_setup
  expect_ready
  expect_output "library 1.24.0, headers of API 24 (system package)"
  expect_no_call .
}

test_new_package_of_the_distribution_is_installed() {
  make_machine debian12
  echo 1.23.2+dfsg-6 >"$BOX/state/candidate"
  add_ort "$BOX/state/candidate_files" 1.23.2 23 23
  run_setup
  expect_ready
  expect_call '^apt-get install .* libonnxruntime-dev$'
  expect_output "(system package)"
}

test_old_system_package_gives_way_to_the_prefix() {
  make_machine debian12
  echo 1.21.0+dfsg-1 >"$BOX/state/candidate"
  add_ort "$BOX/root/usr" 1.21.0 21 21
  run_setup
  expect_ready
  expect_output "headers from Debian forky"
  expect_no_call '^apt-get install'
}

# --- where the headers come from

test_mirror_of_a_one_line_source() {
  make_machine debian12
  rm "$BOX/root/etc/apt/sources.list.d/debian.sources"
  {
    echo '# deb http://commented.invalid/debian bookworm main'
    echo 'deb http://other.invalid/apt bookworm-pgdg main'
    echo 'deb http://security.invalid/debian-security bookworm-security main'
    echo 'deb [arch=amd64 signed-by=/keys/mine.gpg] mirror+file:/etc/apt/mirrors.list bookworm main contrib'
  } >"$BOX/root/etc/apt/sources.list"
  rm "$BOX/root/usr/share/keyrings/debian-archive-keyring.gpg"
  run_setup
  expect_ready
  expect_call '^list deb \[signed-by=/keys/mine.gpg\] mirror\+file:/etc/apt/mirrors.list forky main$'
  expect_no_call '^list .*(commented|other|security).invalid'
}

test_disabled_source_is_not_asked() {
  make_machine debian12
  printf 'Enabled: no\nTypes: deb\nURIs: http://disabled.invalid/debian\nSuites: bookworm\nComponents: main\n' \
    >"$BOX/root/etc/apt/sources.list.d/a.sources"
  run_setup
  expect_ready
  expect_no_call 'disabled.invalid'
}

test_package_gone_from_forky_is_taken_from_backports() {
  make_machine debian12
  rm "$BOX/state/suites/forky"
  add_suite trixie-backports 1.23.2+dfsg-6~bpo13+1 23
  run_setup
  expect_ready
  expect_output "headers from Debian trixie-backports"
}

test_old_headers_in_forky_are_passed_over() {
  make_machine debian12
  add_suite forky 1.21.0+dfsg-1 21
  add_suite sid 1.24.1-1 24
  run_setup
  expect_ready
  expect_output "headers from Debian sid"
  expect_output "headers 1.24.1 are not the tested 1.23.2"
}

test_moved_recipe_says_what_to_do() {
  make_machine debian12
  rm "$BOX/state/suites/forky"
  run_setup
  expect_stop "not found in Debian forky trixie-backports sid (E: The repository 'sid Release'" "set ONNXRUNTIME_ROOT"
}

test_ubuntu_says_what_to_do() {
  make_machine ubuntu
  run_setup
  expect_stop "Ubuntu 24.04 LTS name no Debian mirror" "set ONNXRUNTIME_ROOT"
}

test_ubuntu_with_older_headers_builds_for_the_cpu() {
  make_machine ubuntu
  add_suite own 1.21.0+dfsg-1ubuntu1 21
  run_setup
  expect_ready
  expect_output "headers of API 21 (headers from this distribution"
  expect_output "CPU-only build, the HTP simulator is left out"
  expect_env "HEXQUANT_ONNXRUNTIME_API=21"
}

test_older_system_package_is_the_last_resort() {
  make_machine ubuntu
  add_ort "$BOX/root/usr" 1.21.2 21 21
  rm "$BOX"/state/wheels/*
  run_setup
  expect_ready
  expect_output "library 1.21.2, headers of API 21 (system package)"
  expect_output "CPU-only build"
}

# --- where the library comes from

test_vanished_library_version_is_replaced_by_a_newer_one() {
  make_machine debian12
  rm "$BOX/state/wheels/1.32.0.whl"
  add_wheel 1.40.0 40
  run_setup
  expect_ready
  expect_output "library 1.40.0 is not the tested 1.32.0"
  : >"$BOX/state/log"
  run_setup
  expect_ready
  expect_no_call .
}

test_headers_newer_than_the_tested_library_get_a_newer_library() {
  make_machine debian12
  add_suite forky 1.33.0-1 33
  add_wheel 1.34.0 34
  run_setup
  expect_ready
  expect_output "library 1.34.0, headers of API 33"
}

test_no_library_for_this_machine() {
  make_machine debian12
  rm "$BOX"/state/wheels/*
  run_setup
  expect_stop "pip found no onnxruntime 1.32.0 for $(uname -m)" "HEXQUANT_ONNXRUNTIME_VERSION"
}

test_library_that_lies_about_its_version_is_refused() {
  make_machine debian12
  add_wheel 1.32.0 20
  run_setup
  expect_stop "is older than its headers (API 23)"
}

test_library_with_another_checksum_is_refused() {
  make_machine debian12
  SETUP_ENVIRONMENT=(HEXQUANT_ONNXRUNTIME_SHA256=0123456789)
  run_setup
  expect_stop "not the tested 0123456789" "check the package index"
}

test_asked_version_is_fetched() {
  make_machine debian12
  add_wheel 1.30.0 30
  SETUP_ENVIRONMENT=(HEXQUANT_ONNXRUNTIME_VERSION=1.30.0 HEXQUANT_ONNXRUNTIME_SHA256=)
  run_setup
  expect_ready
  expect_output "library 1.30.0"
}

test_asked_version_older_than_the_headers_is_refused() {
  make_machine debian12
  SETUP_ENVIRONMENT=(HEXQUANT_ONNXRUNTIME_VERSION=1.20.0)
  run_setup
  expect_stop "HEXQUANT_ONNXRUNTIME_VERSION=1.20.0 is older than the headers 1.23.2" "ask for 1.23 or later"
}

test_missing_pip_is_installed_by_root() {
  make_machine debian12
  rm "$BOX/state/pip"
  run_setup
  expect_ready
  expect_call '^apt-get install .* python3-pip$'
}

test_missing_pip_without_root() {
  make_machine debian12
  echo 1000 >"$BOX/state/uid"
  rm "$BOX/state/pip"
  run_setup
  expect_stop "pip 20.3 or later (Python 3.8 or later)" "install python3-pip, or set HEXQUANT_PYTHON"
}

test_old_python_says_which_version_is_needed() {
  make_machine debian12
  echo 1000 >"$BOX/state/uid"
  echo 20.0.2 >"$BOX/state/pip"
  run_setup
  expect_stop "pip 20.3 or later" "python3 has pip 20.0.2" "HEXQUANT_PYTHON"
}

test_another_python_can_be_named() {
  make_machine debian12
  mv "$BOX/bin/python3" "$BOX/bin/python3.12"
  SETUP_ENVIRONMENT=(HEXQUANT_PYTHON=python3.12)
  run_setup
  expect_ready
}

test_unwritable_folder_is_named() {
  make_machine debian12
  touch "$BOX/deps"
  run_setup
  expect_stop "cannot write to $BOX/deps" "HEXQUANT_DEPS_DIR"
}

# --- running them

# Each case runs in a subshell: a failed expectation ends the case, not the run.
run_cases() {
  local failed=0 passed=0
  for CASE in "$@"; do
    if (set -e; "$CASE"); then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
    fi
  done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}

if [ "$#" = 0 ]; then mapfile -t cases < <(compgen -A function test_); else cases=("$@"); fi
run_cases "${cases[@]}"
