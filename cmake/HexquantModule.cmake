# hexquant_module(<folder> [PLUGIN] [DEPENDS <folder>...] [PRIVATE <library>...])
#
# One static library for a folder of src/. DEPENDS names the layers it may use: they are linked
# PUBLIC, so a missing entry is a link error. Files *_avx2.cpp and *_avx512.cpp are compiled for
# those instruction sets and chosen at run time. PLUGIN leaves the module out of libhexquant: it
# becomes a library of its own, loaded when it is needed.
function(hexquant_module folder)
  cmake_parse_arguments(ARG "PLUGIN" "" "DEPENDS;PRIVATE" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  if(NOT sources)
    add_library(hexquant_${name} INTERFACE)
    target_include_directories(hexquant_${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
    foreach(dependency ${ARG_DEPENDS})
      target_link_libraries(hexquant_${name} INTERFACE hexquant_${dependency})
    endforeach()
    return()
  endif()
  add_library(hexquant_${name} STATIC ${sources})
  foreach(source ${sources})
    if(source MATCHES "_avx2\\.cpp$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
    elseif(source MATCHES "_avx512\\.cpp$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
        "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mfma")
    endif()
  endforeach()
  # Their flags differ from those that a precompiled header was made with.
  set(kernels ${sources})
  list(FILTER kernels INCLUDE REGEX "_avx(2|512)\\.cpp$")
  set_source_files_properties(${kernels} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  target_include_directories(hexquant_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}
    ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(hexquant_${name} PRIVATE hexquant_options ${ARG_PRIVATE})
  foreach(dependency ${ARG_DEPENDS})
    target_link_libraries(hexquant_${name} PUBLIC hexquant_${dependency})
  endforeach()
  if(NOT ARG_PLUGIN)
    set_property(GLOBAL APPEND PROPERTY HEXQUANT_MODULES hexquant_${name})
  endif()
endfunction()
