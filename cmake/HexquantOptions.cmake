# Compiler flags shared by every target of the project.
add_library(hexquant_options INTERFACE)
target_compile_options(hexquant_options INTERFACE -Wall -Wextra -Wpedantic
  # Results must not depend on whether the compiler fused a multiply with an add.
  -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False positives of GCC 12 on `"literal" + std::string` (GCC bug 105651).
  target_compile_options(hexquant_options INTERFACE -Wno-restrict)
endif()
if(HEXQUANT_WERROR)
  target_compile_options(hexquant_options INTERFACE -Werror)
endif()
if(HEXQUANT_SANITIZE)
  add_compile_options(-fsanitize=${HEXQUANT_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HEXQUANT_SANITIZE})
endif()
# Libraries that are loaded on demand (core/plugin.h).
set(HEXQUANT_PLUGIN_INSTALL_DIR ${CMAKE_INSTALL_FULL_LIBDIR}/hexquant)
