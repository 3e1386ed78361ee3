# libhexquant (all modules in one shared library), its public headers, the program, and the package
# files for find_package(hexquant). Third-party libraries stay behind the shared library.
include(CMakePackageConfigHelpers)

get_property(hexquant_modules GLOBAL PROPERTY HEXQUANT_MODULES)
add_library(hexquant SHARED)
add_library(hexquant::hexquant ALIAS hexquant)
foreach(module ${hexquant_modules})
  target_sources(hexquant PRIVATE $<TARGET_OBJECTS:${module}>)
  # The objects come from the line above; this adds only what they need at link time.
  get_target_property(module_libraries ${module} LINK_LIBRARIES)
  foreach(library ${module_libraries})
    if(NOT library MATCHES "^hexquant_" OR library MATCHES "^hexquant_(onnx_proto)$")
      target_link_libraries(hexquant PRIVATE ${library})
    endif()
  endforeach()
endforeach()
set_target_properties(hexquant PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
target_compile_features(hexquant INTERFACE cxx_std_20)
target_include_directories(hexquant INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# ONNX Runtime may lie in a private prefix: installed files find it where it was at build time.
get_filename_component(hexquant_ort_folder ${ONNXRUNTIME_LIBRARY} DIRECTORY)
set_target_properties(hexquant PROPERTIES INSTALL_RPATH "$ORIGIN;${hexquant_ort_folder}")
set_target_properties(hexquant_app PROPERTIES
  INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${hexquant_ort_folder}")

install(TARGETS hexquant EXPORT hexquantTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS hexquant_app RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(HEXQUANT_HAS_QAT)
  set_target_properties(hexquant_qat_plugin PROPERTIES INSTALL_RPATH "${hexquant_ort_folder}")
  install(TARGETS hexquant_qat_plugin LIBRARY DESTINATION ${HEXQUANT_PLUGIN_INSTALL_DIR})
endif()
if(HEXQUANT_INSTALL_CONVERTER_SCRIPT)
  install(PROGRAMS scripts/qnn-onnx-converter DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
set_target_properties(hexquant_htp_worker hexquant_metric_worker PROPERTIES
  INSTALL_RPATH "${hexquant_ort_folder}")
install(TARGETS hexquant_htp_worker hexquant_metric_worker
  RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/hexquant)
install(DIRECTORY include/hexquant DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(hexquant_package ${CMAKE_INSTALL_LIBDIR}/cmake/hexquant)
install(EXPORT hexquantTargets NAMESPACE hexquant:: DESTINATION ${hexquant_package})
configure_package_config_file(cmake/hexquantConfig.cmake.in
  ${CMAKE_BINARY_DIR}/hexquantConfig.cmake INSTALL_DESTINATION ${hexquant_package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/hexquantConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/hexquantConfig.cmake
  ${CMAKE_BINARY_DIR}/hexquantConfigVersion.cmake DESTINATION ${hexquant_package})
