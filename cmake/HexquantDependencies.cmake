# Third-party libraries. Each is linked by the one module that is its home.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Protobuf REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CLI11 REQUIRED)

# The three small packages of OpenCV come without its CMake file, so the parts are looked up here.
find_path(OPENCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
foreach(part core imgproc imgcodecs)
  find_library(OPENCV_${part}_LIBRARY opencv_${part} REQUIRED)
  add_library(opencv_${part} INTERFACE)
  target_include_directories(opencv_${part} SYSTEM INTERFACE ${OPENCV_INCLUDE_DIR})
  target_link_libraries(opencv_${part} INTERFACE ${OPENCV_${part}_LIBRARY})
endforeach()

find_library(OPENBLAS_LIBRARY openblas REQUIRED)
find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas-pthread openblas
  x86_64-linux-gnu/openblas-pthread REQUIRED)
add_library(openblas INTERFACE)
target_include_directories(openblas SYSTEM INTERFACE ${OPENBLAS_INCLUDE_DIR})
target_link_libraries(openblas INTERFACE ${OPENBLAS_LIBRARY})

find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
find_path(ONNX_INCLUDE_DIR onnx/onnx_pb.h REQUIRED)
add_library(hexquant_onnx_proto INTERFACE)
target_include_directories(hexquant_onnx_proto SYSTEM INTERFACE ${ONNX_INCLUDE_DIR})
target_compile_definitions(hexquant_onnx_proto INTERFACE ONNX_ML=1 ONNX_NAMESPACE=onnx)
target_link_libraries(hexquant_onnx_proto INTERFACE ${ONNX_PROTO_LIBRARY} protobuf::libprotobuf)

include(FindOnnxRuntime)

set(HEXQUANT_HAS_QAT OFF)
if(HEXQUANT_WITH_QAT)
  include(FindLibTorch)
  set(HEXQUANT_HAS_QAT ${LIBTORCH_FOUND})
  if(NOT LIBTORCH_FOUND AND NOT HEXQUANT_WITH_QAT STREQUAL AUTO)
    message(FATAL_ERROR "HEXQUANT_WITH_QAT is ${HEXQUANT_WITH_QAT} and LibTorch was not found. Run "
      "scripts/setup.sh --qat, or give its location with -DCMAKE_PREFIX_PATH=<prefix>.")
  endif()
endif()
message(STATUS "Quantization-aware training: ${HEXQUANT_HAS_QAT}")
