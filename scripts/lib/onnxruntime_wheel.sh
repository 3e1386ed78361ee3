# The library of ONNX Runtime, taken out of the Python package; sourced, never run.
# shellcheck shell=bash disable=SC2034

# Fills prefix/lib below folder $1. Returns 1 with ORT_PROBLEM set where that cannot be done.
fetch_ort_library() {
  local scratch=$1 version=${HEXQUANT_ONNXRUNTIME_VERSION:-} machine
  machine=$(uname -m)
  find_pip || return 1
  mkdir -p "$scratch/wheel"
  if [ -n "$version" ]; then
    download_wheel "$scratch/wheel" "==$version" "$machine" ||
      { wheel_problem "==$version" "$machine" "$scratch/wheel.log"; return 1; }
  elif download_wheel "$scratch/wheel" "==$ORT_TESTED_LIBRARY_VERSION" "$machine"; then
    verify_wheel "$scratch/wheel" "$machine" || return 1
  elif ! download_wheel "$scratch/wheel" ">=1.$(minor_of "$ORT_TESTED_HEADER_VERSION")" "$machine"; then
    wheel_problem "==$ORT_TESTED_LIBRARY_VERSION" "$machine" "$scratch/wheel.log"
    return 1
  fi
  unpack_wheel "$scratch"
}

# Sets PIP_PYTHON to an interpreter whose pip is new enough, installing Debian's where that is allowed.
find_pip() {
  pip_is_usable && return 0
  if [ "${HEXQUANT_SETUP_PACKAGES:-}" != skip ] && have apt-get && can_be_root; then
    say "installing python3-pip"
    refresh_package_lists_once
    apt_install python3-pip && pip_is_usable && return 0
  fi
  ORT_PROBLEM="the library of ONNX Runtime is fetched with pip 20.3 or later (Python 3.8 or later), and none was found${PIP_SEEN:+ ($PIP_SEEN)}: install python3-pip, or set HEXQUANT_PYTHON to a newer Python"
  return 1
}

pip_is_usable() {
  local python version
  PIP_SEEN=""
  for python in ${HEXQUANT_PYTHON:+"$HEXQUANT_PYTHON"} python3 /usr/bin/python3; do
    version=$("$python" -m pip --version 2>/dev/null | sed -n 's/^pip \([0-9.]*\) .*/\1/p') || continue
    [ -n "$version" ] || continue
    PIP_SEEN="$python has pip $version"
    if pip_version_is_enough "$version"; then
      PIP_PYTHON=$python
      return 0
    fi
  done
  return 1
}

# Older ones do not know the manylinux_2_28 tag.
pip_version_is_enough() {
  local major minor
  IFS=. read -r major minor _ <<<"$1.0"
  [ "$major" -gt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -ge 3 ]; }
}

# The wheel of requirement "onnxruntime$2" for machine $3 into folder $1.
download_wheel() {
  "$PIP_PYTHON" -m pip download -q --disable-pip-version-check --no-input --no-deps --only-binary=:all: \
    --implementation cp --python-version "$ORT_WHEEL_PYTHON" --platform "manylinux_2_28_$3" \
    --platform "manylinux_2_27_$3" --dest "$1" "onnxruntime$2" >"$1.log" 2>&1 </dev/null
}

wheel_problem() {
  local reason
  reason=$(grep -i '^error' "$3" 2>/dev/null | tail -n 1 || true)
  ORT_PROBLEM="pip found no onnxruntime$1 for $2${reason:+ ($reason)}: no network, or the version has moved (HEXQUANT_ONNXRUNTIME_VERSION takes another)"
}

# The tested version must be the file that was tested.
verify_wheel() {
  local pinned=ORT_WHEEL_SHA256_$2 expected found
  expected=${HEXQUANT_ONNXRUNTIME_SHA256:-${!pinned:-}}
  [ -n "$expected" ] || return 0
  found=$(cat "$1"/onnxruntime-*.whl | sha256sum | cut -d' ' -f1)
  if [ "$found" != "$expected" ]; then
    ORT_PROBLEM="the downloaded onnxruntime $ORT_TESTED_LIBRARY_VERSION has checksum $found, not the tested $expected: check the package index of pip"
    return 1
  fi
}

# Takes the C++ library out of the wheel below folder $1 and links its soname.
unpack_wheel() {
  local scratch=$1 library
  "$PIP_PYTHON" -m zipfile -e "$scratch"/wheel/onnxruntime-*.whl "$scratch/unpacked"
  library=$(find "$scratch/unpacked/onnxruntime/capi" -name 'libonnxruntime.so.1.*' | head -n 1)
  if [ -z "$library" ]; then
    ORT_PROBLEM="the Python package of ONNX Runtime holds no libonnxruntime.so.1.* any more"
    return 1
  fi
  cp "$library" "$scratch/prefix/lib/"
  ln -s "$(basename "$library")" "$scratch/prefix/lib/libonnxruntime.so.1"
  ln -s libonnxruntime.so.1 "$scratch/prefix/lib/libonnxruntime.so"
}
