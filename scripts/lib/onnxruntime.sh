# Chooses ONNX Runtime: ONNXRUNTIME_ROOT, a system package, a prefix made earlier, or one made now from
# Debian's headers and the library of the Python package; sourced, never run.
# shellcheck shell=bash

ORT_HINT="set ONNXRUNTIME_ROOT to a folder with include/ and lib/ of ONNX Runtime $ORT_TESTED_HEADER_VERSION or later"

# Sets ORT_ROOT, ORT_HEADER_API, ORT_LIBRARY_VERSION, ORT_ORIGIN, or stops with one line.
choose_onnxruntime() {
  if [ -n "${ONNXRUNTIME_ROOT:-}" ]; then
    check_ort_root "$ONNXRUNTIME_ROOT" ||
      die "ONNXRUNTIME_ROOT is not usable: $ORT_PROBLEM; correct it, or unset it to let set-up fetch one"
    ORT_ORIGIN="ONNXRUNTIME_ROOT"
    return 0
  fi
  use_system_ort "$ORT_PLUGIN_API" && return 0
  use_cached_ort && return 0
  install_system_ort && use_system_ort "$ORT_PLUGIN_API" && return 0
  make_ort_prefix && return 0
  use_system_ort "$ORT_CPU_API" && return 0
  die "$ORT_PROBLEM; $ORT_HINT"
}

# A system package whose headers have at least API $1.
use_system_ort() {
  local root=$HEXQUANT_SETUP_ROOT/usr include
  include=$(ort_include_dir "$root") || return 1
  [ "$(ort_header_api "$include")" -ge "$1" ] || return 1
  # Keeps the reason of an earlier failure: it says more than that of this last resort.
  local earlier=${ORT_PROBLEM:-}
  check_ort_root "$root" || { ORT_PROBLEM=${earlier:-$ORT_PROBLEM}; return 1; }
  ORT_ORIGIN="system package"
}

# The distribution's own package, where it is new enough and may be installed.
install_system_ort() {
  [ "${HEXQUANT_SETUP_PACKAGES:-}" = skip ] && return 1
  have apt-cache && can_be_root || return 1
  local candidate
  candidate=$(apt-cache policy libonnxruntime-dev 2>/dev/null | sed -n 's/^ *Candidate: //p')
  [ "$(minor_of "$candidate")" -ge "$ORT_PLUGIN_API" ] || return 1
  say "installing libonnxruntime-dev $candidate"
  refresh_package_lists_once
  apt_install libonnxruntime-dev
}

# The N of a version 1.N..., 0 where it is no such version.
minor_of() {
  if [[ $1 =~ ^1\.([0-9]+) ]]; then printf '%s\n' "${BASH_REMATCH[1]}"; else printf '0\n'; fi
}

wanted_library_version() { printf '%s\n' "${HEXQUANT_ONNXRUNTIME_VERSION:-$ORT_TESTED_LIBRARY_VERSION}"; }

# A prefix that an earlier run made for the wanted version. It was checked then and renamed into place whole.
use_cached_ort() {
  local dir include version
  for dir in "$HEXQUANT_DEPS_DIR"/onnxruntime-*; do
    version=$(basename "$dir" | cut -d- -f2)
    [ "$version" = "$(wanted_library_version)" ] ||
      grep -qxF "wanted $(wanted_library_version)" "$dir/origin.txt" 2>/dev/null || continue
    include=$(ort_include_dir "$dir") || continue
    ort_library "$dir" >/dev/null || continue
    ORT_ROOT=$dir
    ORT_HEADER_API=$(ort_header_api "$include")
    ORT_LIBRARY_VERSION=$version
    ORT_ORIGIN="prefix made earlier"
    return 0
  done
  return 1
}

# Makes a prefix in a scratch folder and renames it. Returns 1 with ORT_PROBLEM set where a part is missing.
make_ort_prefix() {
  local scratch prefix status=0
  mkdir -p "$HEXQUANT_DEPS_DIR" || die "cannot write to $HEXQUANT_DEPS_DIR; set HEXQUANT_DEPS_DIR to a folder of yours"
  scratch=$(mktemp -d "$HEXQUANT_DEPS_DIR/.making.XXXXXX")
  fill_ort_prefix "$scratch" || status=1
  if [ "$status" = 0 ]; then
    prefix=$HEXQUANT_DEPS_DIR/onnxruntime-$ORT_LIBRARY_VERSION-$ORT_HEADER_PACKAGE_VERSION
    rm -rf "$prefix"
    mv "$scratch/prefix" "$prefix"
    ORT_ROOT=$prefix
    ORT_ORIGIN="headers from $ORT_HEADER_ORIGIN, library from the Python package"
  fi
  rm -rf "$scratch"
  return "$status"
}

fill_ort_prefix() {
  local scratch=$1
  mkdir -p "$scratch/prefix/include" "$scratch/prefix/lib"
  fetch_ort_headers "$scratch" || return 1
  fetch_ort_library "$scratch" || return 1
  check_ort_root "$scratch/prefix" || return 1
  printf 'wanted %s\nlibrary %s\nheaders %s (%s)\n' "$(wanted_library_version)" "$ORT_LIBRARY_VERSION" \
    "$ORT_HEADER_PACKAGE_VERSION" "$ORT_HEADER_ORIGIN" >"$scratch/prefix/origin.txt"
  report_untested_versions
}

report_untested_versions() {
  if [ "$ORT_HEADER_PACKAGE_VERSION" != "$ORT_TESTED_HEADER_VERSION" ]; then
    say "headers $ORT_HEADER_PACKAGE_VERSION are not the tested $ORT_TESTED_HEADER_VERSION"
  fi
  if [ "$ORT_LIBRARY_VERSION" != "$ORT_TESTED_LIBRARY_VERSION" ]; then
    say "library $ORT_LIBRARY_VERSION is not the tested $ORT_TESTED_LIBRARY_VERSION"
  fi
}

# Headers of the first source that has them: Debian's newer suites, then the machine's own sources.
fetch_ort_headers() {
  local scratch=$1 suite mirror keyring seen=""
  if ! have apt-get || ! have dpkg; then
    ORT_PROBLEM="the headers of ONNX Runtime come from a Debian package, and this system has no apt-get and dpkg"
    return 1
  fi
  while IFS=$'\t' read -r mirror keyring; do
    seen=yes
    for suite in $ORT_HEADER_SUITES; do
      download_from_suite "$mirror" "$keyring" "$suite" libonnxruntime-dev "$scratch" || continue
      unpack_ort_headers "$scratch" "$ORT_PLUGIN_API" || continue
      ORT_HEADER_ORIGIN="Debian $suite"
      return 0
    done
  done < <(debian_mirrors)
  if own_source_headers "$scratch"; then return 0; fi
  headers_problem "$seen"
  return 1
}

# Older headers of this distribution are good enough for a CPU-only build.
own_source_headers() {
  (cd "$1" && apt-get -q -o APT::Sandbox::User=root download libonnxruntime-dev >/dev/null 2>&1) || return 1
  unpack_ort_headers "$1" "$ORT_CPU_API" || return 1
  ORT_HEADER_ORIGIN="this distribution"
}

headers_problem() {
  local system
  system=$(os_release PRETTY_NAME)
  if [ -n "$1" ]; then
    ORT_PROBLEM="libonnxruntime-dev was not found in Debian $ORT_HEADER_SUITES${DOWNLOAD_ERROR:+ ($DOWNLOAD_ERROR)}: no network, or the package has moved"
  else
    ORT_PROBLEM="the package sources of ${system:-this system} name no Debian mirror to take the headers of ONNX Runtime from"
  fi
}

# Unpacks the one .deb in folder $1 and keeps its headers where they have at least API $2.
unpack_ort_headers() {
  local scratch=$1 deb include
  deb=$(find "$scratch" -maxdepth 1 -name 'libonnxruntime-dev_*.deb' | head -n 1)
  [ -n "$deb" ] || return 1
  rm -rf "$scratch/deb"
  ORT_HEADER_PACKAGE_VERSION=$(basename "$deb" | sed 's/^libonnxruntime-dev_\([0-9.]*\).*/\1/')
  dpkg -x "$deb" "$scratch/deb" || true
  rm -f "$deb"
  include=$(ort_include_dir "$scratch/deb/usr") || return 1
  [ "$(ort_header_api "$include")" -ge "$2" ] || return 1
  cp -r "$scratch/deb/usr/include/onnxruntime" "$scratch/prefix/include/"
}

# Writes the choice for CMake and says it in one line.
write_env_file() {
  mkdir -p "$HEXQUANT_DEPS_DIR"
  {
    printf '# Written by scripts/setup.sh; read by demo.sh and test.sh.\n'
    printf 'HEXQUANT_ONNXRUNTIME_ROOT=%q\n' "$ORT_ROOT"
    printf 'HEXQUANT_ONNXRUNTIME_API=%q\n' "$ORT_HEADER_API"
  } >"$HEXQUANT_ENV_FILE.tmp.$$"
  mv "$HEXQUANT_ENV_FILE.tmp.$$" "$HEXQUANT_ENV_FILE"
  say "ONNX Runtime: library $ORT_LIBRARY_VERSION, headers of API $ORT_HEADER_API ($ORT_ORIGIN), $ORT_ROOT"
  if [ "$ORT_HEADER_API" -lt "$ORT_PLUGIN_API" ]; then
    say "headers older than API $ORT_PLUGIN_API: CPU-only build, the HTP simulator is left out; $ORT_HINT to get it"
  fi
}
