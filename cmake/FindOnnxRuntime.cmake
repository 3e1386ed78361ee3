# Target `onnxruntime`: from ONNXRUNTIME_ROOT (CMake or environment variable), the prefix that
# scripts/setup.sh made, or the system.
set(HEXQUANT_ORT_MIN_API 21)
if(NOT ONNXRUNTIME_ROOT AND DEFINED ENV{ONNXRUNTIME_ROOT})
  set(ONNXRUNTIME_ROOT $ENV{ONNXRUNTIME_ROOT})
endif()
if(NOT ONNXRUNTIME_ROOT)
  file(GLOB HEXQUANT_ORT_PREFIXES ${PROJECT_SOURCE_DIR}/build/deps/onnxruntime-*)
endif()
set(ONNXRUNTIME_HINTS ${ONNXRUNTIME_ROOT} ${HEXQUANT_ORT_PREFIXES})
find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_cxx_api.h HINTS ${ONNXRUNTIME_HINTS}
  PATH_SUFFIXES include include/onnxruntime include/onnxruntime/core/session onnxruntime)
find_library(ONNXRUNTIME_LIBRARY onnxruntime HINTS ${ONNXRUNTIME_HINTS} PATH_SUFFIXES lib lib64)
if(NOT ONNXRUNTIME_INCLUDE_DIR OR NOT ONNXRUNTIME_LIBRARY)
  message(FATAL_ERROR "ONNX Runtime not found. Run scripts/setup.sh, or give its location with "
    "-DONNXRUNTIME_ROOT=<prefix with include/ and lib/>.")
endif()
file(STRINGS ${ONNXRUNTIME_INCLUDE_DIR}/onnxruntime_c_api.h HEXQUANT_ORT_API
  REGEX "#define ORT_API_VERSION [0-9]+")
string(REGEX MATCH "[0-9]+" HEXQUANT_ORT_API "${HEXQUANT_ORT_API}")
if(HEXQUANT_ORT_API LESS HEXQUANT_ORT_MIN_API)
  message(FATAL_ERROR "ONNX Runtime headers in ${ONNXRUNTIME_INCLUDE_DIR} have API "
    "${HEXQUANT_ORT_API}; ${HEXQUANT_ORT_MIN_API} or later is needed.")
endif()
message(STATUS "ONNX Runtime: ${ONNXRUNTIME_LIBRARY} (headers API ${HEXQUANT_ORT_API})")
add_library(onnxruntime SHARED IMPORTED)
set_target_properties(onnxruntime PROPERTIES IMPORTED_LOCATION ${ONNXRUNTIME_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${ONNXRUNTIME_INCLUDE_DIR})
