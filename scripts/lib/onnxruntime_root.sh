# Looks at a folder that may hold ONNX Runtime: headers, library, their API versions; sourced, never run.
# Its answers are variables: ORT_ROOT, ORT_HEADER_API, ORT_LIBRARY_VERSION, and ORT_PROBLEM where it fails.
# shellcheck shell=bash disable=SC2034

# The folder with onnxruntime_cxx_api.h below root $1; fails where there is none.
ort_include_dir() {
  local sub
  for sub in include/onnxruntime include include/onnxruntime/core/session; do
    if [ -r "$1/$sub/onnxruntime_cxx_api.h" ] && [ -r "$1/$sub/onnxruntime_c_api.h" ]; then
      printf '%s\n' "$1/$sub"
      return 0
    fi
  done
  return 1
}

# The shared library below root $1; fails where there is none.
ort_library() {
  local file
  for file in "$1"/lib/libonnxruntime.so "$1"/lib64/libonnxruntime.so "$1"/lib/*-linux-gnu/libonnxruntime.so; do
    if [ -r "$file" ]; then
      printf '%s\n' "$file"
      return 0
    fi
  done
  return 1
}

# ORT_API_VERSION of the headers in folder $1, 0 where it is not stated.
ort_header_api() {
  local api
  api=$(sed -n 's/^#define ORT_API_VERSION \([0-9][0-9]*\).*/\1/p' "$1/onnxruntime_c_api.h" | head -n 1)
  printf '%s\n' "${api:-0}"
}

# "version serves" of library $1: its version, and 1 where it serves API $2. The library itself is asked;
# without Python its file name is read (release 1.N serves every API up to N).
ort_library_answer() {
  local python
  if python=$(command -v "${HEXQUANT_PYTHON:-python3}"); then
    "$python" - "$1" "$2" 2>/dev/null <<'PY'
import ctypes, sys
class Base(ctypes.Structure):
    _fields_ = [("get_api", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)),
                ("get_version", ctypes.CFUNCTYPE(ctypes.c_char_p))]
library = ctypes.CDLL(sys.argv[1])
library.OrtGetApiBase.restype = ctypes.POINTER(Base)
base = library.OrtGetApiBase().contents
print(base.get_version().decode(), 1 if base.get_api(int(sys.argv[2])) else 0)
PY
    return
  fi
  local version minor
  version=$(basename "$(readlink -f "$1")" | sed -n 's/^libonnxruntime\.so\.//p')
  minor=$(cut -d. -f2 <<<"$version")
  [[ $minor =~ ^[0-9]+$ ]] || return 1
  printf '%s %d\n' "$version" "$((minor >= $2))"
}

# Checks root $1 and sets ORT_ROOT, ORT_HEADER_API, ORT_LIBRARY_VERSION; on failure sets ORT_PROBLEM.
check_ort_root() {
  local root=$1 include library answer serves
  include=$(ort_include_dir "$root") || { ORT_PROBLEM="$root/include has no onnxruntime_cxx_api.h"; return 1; }
  library=$(ort_library "$root") || { ORT_PROBLEM="$root/lib has no libonnxruntime.so"; return 1; }
  ORT_HEADER_API=$(ort_header_api "$include")
  if [ "$ORT_HEADER_API" -lt "$ORT_CPU_API" ]; then
    ORT_PROBLEM="the headers in $include have API $ORT_HEADER_API, at least $ORT_CPU_API is needed"
    return 1
  fi
  answer=$(ort_library_answer "$library" "$ORT_HEADER_API") ||
    { ORT_PROBLEM="$library cannot be loaded on this machine"; return 1; }
  read -r ORT_LIBRARY_VERSION serves <<<"$answer"
  if [ "$serves" != 1 ]; then
    ORT_PROBLEM="library $ORT_LIBRARY_VERSION in $root is older than its headers (API $ORT_HEADER_API)"
    return 1
  fi
  ORT_ROOT=$root
}
