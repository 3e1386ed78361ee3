# Shared by every script of hexquant; sourced, never run.
# shellcheck shell=bash

HEXQUANT_SOURCE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Where set-up keeps what it downloads, and the file with its answers.
HEXQUANT_DEPS_DIR=${HEXQUANT_DEPS_DIR:-$HEXQUANT_SOURCE_DIR/build/deps}
HEXQUANT_ENV_FILE=$HEXQUANT_DEPS_DIR/env.sh

# A folder that stands for / wherever set-up reads the machine's state (sources, keyrings, headers).
# Empty means the real machine; the tests put a fake one here.
HEXQUANT_SETUP_ROOT=${HEXQUANT_SETUP_ROOT:-}

say() { printf 'hexquant: %s\n' "$*" >&2; }

# One line that names the problem and what to do about it, then the exit status for "capability missing".
die() {
  printf 'hexquant set-up: %s\n' "$*" >&2
  exit 3
}

have() { command -v "$1" >/dev/null 2>&1; }

# One field of os-release, without its quotes; empty where there is none.
os_release() {
  local file=$HEXQUANT_SETUP_ROOT/etc/os-release
  [ -r "$file" ] || return 0
  sed -n "s/^$1=//p" "$file" | tr -d "\"'" | head -n 1
}

# Runs a command with the rights to install packages; fails where there is no way to get them.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo "$@"
  else
    return 126
  fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] && return 0
  have sudo || return 1
  sudo -n true 2>/dev/null || [ -t 0 ]
}
