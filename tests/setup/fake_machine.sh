# A machine made of files, on which scripts/setup.sh runs without touching the real one; sourced, never run.
#
# $BOX/bin    every command that set-up can see: fakes of apt-get, dpkg, pip ... and links to the real basics
# $BOX/root   stands for / (HEXQUANT_SETUP_ROOT)
# $BOX/state  what the fakes answer: uid, installed packages, version of pip, suites/, wheels/, candidate of
#             libonnxruntime-dev and the files it installs, error of an install; and the log of calls
# shellcheck shell=bash

REAL_BASICS=(bash sh env cat cp mv rm ln mkdir mktemp chmod touch find grep sed awk sort head tail cut tr basename
  dirname readlink sha256sum uname wc)

# make_machine DISTRIBUTION: everything installed, no ONNX Runtime; root, pip and Debian's suites at hand.
make_machine() {
  BOX=$(mktemp -d "$SCRATCH/box.XXXXXX")
  mkdir -p "$BOX/bin" "$BOX/state/suites" "$BOX/state/wheels" "$BOX/root/etc/apt/sources.list.d" \
    "$BOX/root/usr/share/keyrings"
  local tool
  for tool in "${REAL_BASICS[@]}"; do ln -s "$(command -v "$tool")" "$BOX/bin/$tool"; done
  cp "$HERE"/fakes/* "$BOX/bin/"
  echo 0 >"$BOX/state/uid"
  echo 23.0.1 >"$BOX/state/pip"
  : >"$BOX/state/log"
  install_everything
  add_wheel 1.32.0 32
  "machine_$1"
}

machine_debian12() {
  printf 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\n' >"$BOX/root/etc/os-release"
  cat >"$BOX/root/etc/apt/sources.list.d/debian.sources" <<'SOURCES'
Types: deb
# a comment
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.invalid/debian-security
Suites: bookworm-security
Components: main
SOURCES
  touch "$BOX/root/usr/share/keyrings/debian-archive-keyring.gpg"
  add_suite forky 1.23.2+dfsg-6.1 23
}

machine_ubuntu() {
  printf 'PRETTY_NAME="Ubuntu 24.04 LTS"\nID=ubuntu\nVERSION_CODENAME=noble\n' >"$BOX/root/etc/os-release"
  printf 'Types: deb\nURIs: http://mirror.invalid/ubuntu\nSuites: noble noble-updates\nComponents: main universe\n' \
    >"$BOX/root/etc/apt/sources.list.d/ubuntu.sources"
}

# Every package of set-up counts as installed, under the name that it has in scripts/lib/packages.sh.
install_everything() {
  local entry
  for entry in "${HEXQUANT_BUILD_PACKAGES[@]}" "${HEXQUANT_QAT_PACKAGES[@]}" "${HEXQUANT_TEST_PACKAGES[@]}" libclang-rt-14-dev; do
    printf '%s\n' "${entry%%:*}"
  done >"$BOX/state/installed"
}

uninstall() {
  local package
  for package in "$@"; do sed -i "/^$package$/d" "$BOX/state/installed"; done
}

# Suite $1 (or "own": the machine's own sources) carries libonnxruntime-dev $2 with headers of API $3.
add_suite() { printf '%s %s\n' "$2" "$3" >"$BOX/state/suites/$1"; }

# The package index carries version $1, whose library serves API $2.
add_wheel() {
  local made=$SCRATCH/made/$1-$2
  if [ ! -e "$made.whl" ]; then
    mkdir -p "$made/onnxruntime/capi"
    make_library "$made/onnxruntime/capi/libonnxruntime.so.$1" "$1" "$2"
    (cd "$made" && "$REAL_PYTHON" -m zipfile -c "$made.whl" onnxruntime)
  fi
  cp "$made.whl" "$BOX/state/wheels/$1.whl"
}

# add_ort FOLDER VERSION LIBRARY_API HEADER_API: an ONNX Runtime as a user or a distribution would lay it.
add_ort() {
  mkdir -p "$1/include/onnxruntime" "$1/lib"
  printf '#define ORT_API_VERSION %s\n' "$4" >"$1/include/onnxruntime/onnxruntime_c_api.h"
  touch "$1/include/onnxruntime/onnxruntime_cxx_api.h"
  make_library "$1/lib/libonnxruntime.so" "$2" "$3"
}

# make_library FILE VERSION API: a library that answers OrtGetApiBase() as ONNX Runtime does.
make_library() {
  cat >"$SCRATCH/fake_library.c" <<'SOURCE'
#include <stdint.h>
typedef struct { const void* (*get_api)(uint32_t); const char* (*get_version)(void); } Base;
static const void* get_api(uint32_t version) { return version <= FAKE_API ? &get_api : 0; }
static const char* get_version(void) { return FAKE_VERSION; }
static const Base base = {get_api, get_version};
const Base* OrtGetApiBase(void) { return &base; }
SOURCE
  "$REAL_CC" -shared -fPIC -w -o "$1" "-DFAKE_API=$3" "-DFAKE_VERSION=\"$2\"" "$SCRATCH/fake_library.c"
}

# Runs set-up on the fake machine; leaves OUTPUT and STATUS.
run_setup() {
  local checksum=none
  if [ -e "$BOX/state/wheels/1.32.0.whl" ]; then checksum=$(sha256sum <"$BOX/state/wheels/1.32.0.whl" | cut -d' ' -f1); fi
  STATUS=0
  OUTPUT=$(env -i PATH="$BOX/bin" HOME="$BOX" BOX="$BOX" REAL_PYTHON="$REAL_PYTHON" \
    HEXQUANT_SETUP_ROOT="$BOX/root" HEXQUANT_DEPS_DIR="$BOX/deps" \
    HEXQUANT_ONNXRUNTIME_SHA256="$checksum" "${SETUP_ENVIRONMENT[@]}" \
    bash "$SOURCE_DIR/scripts/setup.sh" "$@" 2>&1 </dev/null) || STATUS=$?
}

fail() {
  printf 'FAILED %s: %s\n--- status %s, output:\n%s\n--- calls:\n' "$CASE" "$1" "$STATUS" "$OUTPUT"
  cat "$BOX/state/log"
  exit 1
}

expect_ready() {
  [ "$STATUS" = 0 ] || fail "set-up should succeed"
  [ -r "$BOX/deps/env.sh" ] || fail "env.sh is missing"
}

# expect_stop TEXT...: exit status 3, one last line that holds every text, and nothing half-made.
expect_stop() {
  [ "$STATUS" = 3 ] || fail "set-up should stop with status 3"
  [ "$(grep -c '^hexquant set-up: ' <<<"$OUTPUT")" = 1 ] || fail "one line should say what to do"
  local text
  for text in "$@"; do
    tail -n 1 <<<"$OUTPUT" | grep -qF -- "$text" || fail "the last line should say '$text'"
  done
  [ -z "$(find "$BOX/deps" -mindepth 1 2>/dev/null)" ] || fail "something half-made is left"
}

expect_output() { grep -qF -- "$1" <<<"$OUTPUT" || fail "the output should say '$1'"; }
expect_call() { grep -qE -- "$1" "$BOX/state/log" || fail "there should be a call like '$1'"; }
expect_no_call() { ! grep -qE -- "$1" "$BOX/state/log" || fail "there should be no call like '$1'"; }
expect_env() { grep -qxF -- "$1" "$BOX/deps/env.sh" || fail "env.sh should hold '$1'"; }
