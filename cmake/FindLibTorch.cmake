# Target `libtorch` and LIBTORCH_FOUND: LibTorch 1.13 or later from CMAKE_PREFIX_PATH or the system.
# Its own package file is not used: it asks for libraries of other parts of PyTorch. The headers are
# system headers: they do not pass this project's warnings.
set(HEXQUANT_TORCH_MIN_VERSION 1.13)
find_path(LIBTORCH_API_INCLUDE_DIR torch/torch.h
  PATH_SUFFIXES include/torch/csrc/api/include torch/csrc/api/include)
find_path(LIBTORCH_INCLUDE_DIR ATen/ATen.h)
foreach(part torch torch_cpu c10)
  find_library(LIBTORCH_${part}_LIBRARY ${part})
  list(APPEND libtorch_libraries ${LIBTORCH_${part}_LIBRARY})
endforeach()
set(LIBTORCH_FOUND OFF)
if(LIBTORCH_API_INCLUDE_DIR AND LIBTORCH_INCLUDE_DIR AND LIBTORCH_torch_LIBRARY
    AND LIBTORCH_torch_cpu_LIBRARY AND LIBTORCH_c10_LIBRARY)
  # The version is assembled from numbers in 1.13 and stands as a text in 2.x; both have these two.
  file(STRINGS ${LIBTORCH_API_INCLUDE_DIR}/torch/version.h libtorch_lines
    REGEX "#define TORCH_VERSION_(MAJOR|MINOR) [0-9]+")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" LIBTORCH_VERSION
    "${libtorch_lines}")
  if(LIBTORCH_VERSION VERSION_GREATER_EQUAL HEXQUANT_TORCH_MIN_VERSION)
    set(LIBTORCH_FOUND ON)
    add_library(libtorch INTERFACE)
    target_include_directories(libtorch SYSTEM INTERFACE ${LIBTORCH_API_INCLUDE_DIR}
      ${LIBTORCH_INCLUDE_DIR})
    target_link_libraries(libtorch INTERFACE ${libtorch_libraries})
    # at::parallel_for is a template that is serial without it.
    find_package(OpenMP COMPONENTS CXX)
    if(OpenMP_CXX_FOUND)
      target_link_libraries(libtorch INTERFACE OpenMP::OpenMP_CXX)
    endif()
  else()
    message(STATUS "LibTorch ${LIBTORCH_VERSION} is older than ${HEXQUANT_TORCH_MIN_VERSION}")
  endif()
endif()
