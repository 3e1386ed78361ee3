# System packages: what is needed, what is missing, how it is installed; sourced, never run.
# shellcheck shell=bash

# "package" or "package:command"; the latter also counts as present when the command is on PATH.
HEXQUANT_BUILD_PACKAGES=(
  cmake:cmake ninja-build:ninja g++:g++ ccache:ccache pkg-config:pkg-config python3:python3
  protobuf-compiler:protoc libprotobuf-dev libonnx-dev
  libeigen3-dev libopenblas-dev
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev zlib1g-dev
  libcli11-dev nlohmann-json3-dev libspdlog-dev libfmt-dev libjs-vega
)
# For `hexquant qat`; 500 MB, so only on request.
HEXQUANT_QAT_PACKAGES=(libtorch-dev)
HEXQUANT_TEST_PACKAGES=(
  git:git libgtest-dev libgmock-dev libbenchmark-dev
  clang:clang clang-format:clang-format clang-tidy:clang-tidy
)

# Prints the names of the given packages that dpkg does not know as installed.
not_installed() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' || true)
  local package
  for package in "$@"; do
    grep -qxF -- "$package" <<<"$installed" || printf '%s\n' "$package"
  done
}

# Prints the packages of the given "package[:command]" entries that are missing.
missing_packages() {
  local entry candidates=()
  for entry in "$@"; do
    if [[ $entry == *:* ]] && have "${entry#*:}"; then continue; fi
    candidates+=("${entry%%:*}")
  done
  [ "${#candidates[@]}" -eq 0 ] && return 0
  if have dpkg-query; then
    not_installed "${candidates[@]}"
  else
    printf '%s\n' "${candidates[@]}"
  fi
}

# libFuzzer and the sanitizers of clang lie in a package named after clang's major version.
clang_runtime_package() {
  local major
  have clang || return 0
  major=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
  [ -n "$major" ] || return 0
  if [ -n "$(not_installed "libclang-rt-$major-dev")" ] && ! clang_has_fuzzer_runtime; then
    printf 'libclang-rt-%s-dev\n' "$major"
  fi
}

clang_has_fuzzer_runtime() {
  local file
  file=$(clang -print-file-name="libclang_rt.fuzzer-$(uname -m).a" 2>/dev/null)
  [[ $file == /* && -e $file ]]
}

# Installs packages, or stops with the one line that says who can.
install_packages() {
  local list="$*"
  if ! have apt-get; then
    die "this system has no apt-get, and these packages (Debian names) are missing: $list;" \
      "install them with its own package manager, then run again with HEXQUANT_SETUP_PACKAGES=skip"
  fi
  if ! can_be_root; then
    die "not root and no sudo, and packages are missing; ask the administrator to run:" \
      "apt-get install $list"
  fi
  say "installing $list"
  refresh_package_lists_once
  apt_install "$@" || die "apt-get could not install '$list' (${APT_ERROR:-no reason given});" \
    "check the package sources of this machine, or install them by hand and run again"
}

apt_install() {
  local log
  log=$(mktemp)
  if as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  APT_ERROR=$(grep '^E:' "$log" | head -n 1 || true)
  rm -f "$log"
  return 1
}

APT_LISTS_ARE_FRESH=no
refresh_package_lists_once() {
  [ "$APT_LISTS_ARE_FRESH" = yes ] && return 0
  # A failed update is not fatal: the lists on the machine may be good enough.
  as_root apt-get update -q >/dev/null 2>&1 || say "apt-get update failed; going on with the old package lists"
  APT_LISTS_ARE_FRESH=yes
}

# Makes the packages of the given entries present.
require_packages() {
  [ "${HEXQUANT_SETUP_PACKAGES:-}" = skip ] && return 0
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -eq 0 ] || install_packages "${missing[@]}"
}

require_clang_runtime() {
  [ "${HEXQUANT_SETUP_PACKAGES:-}" = skip ] && return 0
  local package
  package=$(clang_runtime_package)
  [ -z "$package" ] || install_packages "$package"
}
