# The library of ONNX Runtime, taken out of the Python package; sourced, never run.
# shellcheck shell=bash disable=SC2034

# Fills prefix/lib below folder $1 with the wanted version; where that is gone, or older than the headers
# that were found, with the newest that serves them. Returns 1 with ORT_PROBLEM set where that cannot be done.
fetch_ort_library() {
  local scratch=$1 wanted machine api
  wanted=$(wanted_library_version)
  machine=$(uname -m)
  api=$(minor_of "$ORT_HEADER_PACKAGE_VERSION")
  if [ -n "${HEXQUANT_ONNXRUNTIME_VERSION:-}" ] && [ "$(minor_of "$wanted")" -lt "$api" ]; then
    ORT_PROBLEM="HEXQUANT_ONNXRUNTIME_VERSION=$wanted is older than the headers $ORT_HEADER_PACKAGE_VERSION: ask for 1.$api or later"
    return 1
  fi
  find_pip || return 1
  mkdir -p "$scratch/wheel"
  if [ "$(minor_of "$wanted")" -ge "$api" ] && download_wheel "$scratch/wheel" "==$wanted" "$machine"; then
    verify_wheel "$scratch/wheel" "$machine" "$wanted" || return 1
  elif [ -n "${HEXQUANT_ONNXRUNTIME_VERSION:-}" ] || ! download_wheel "$scratch/wheel" ">=1.$api" "$machine"; then
    wheel_problem "$wanted" "$machine" "$scratch/wheel.log"
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
  for python in ${HEXQUANT_PYTHON:+"$HEXQUANT_PYTHON"} python3 "$HEXQUANT_SETUP_ROOT/usr/bin/python3"; do
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
  ORT_PROBLEM="pip found no onnxruntime $1 for $2${reason:+ ($reason)}: no network, or the version has moved (HEXQUANT_ONNXRUNTIME_VERSION takes another)"
}

# The tested version $3 must be the file that was tested on machine $2; other versions have no checksum here.
verify_wheel() {
  local pinned=ORT_WHEEL_SHA256_$2 expected=${HEXQUANT_ONNXRUNTIME_SHA256:-} found
  if [ -z "$expected" ] && [ "$3" = "$ORT_TESTED_LIBRARY_VERSION" ]; then expected=${!pinned:-}; fi
  [ -n "$expected" ] || return 0
  found=$(cat "$1"/onnxruntime-*.whl | sha256sum | cut -d' ' -f1)
  if [ "$found" != "$expected" ]; then
    ORT_PROBLEM="the downloaded onnxruntime $3 has checksum $found, not the tested $expected: check the package index of pip"
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
