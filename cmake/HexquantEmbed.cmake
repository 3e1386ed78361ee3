# hexquant_embed(<target> <namespace> <name>=<file>...)
#
# Compiles text files into <target>: each becomes `const std::string_view <namespace>::<name>`, to
# be declared `extern` where it is read. A changed file makes the build configure again.
function(hexquant_embed target namespace)
  set(code "// Generated from data files by cmake/HexquantEmbed.cmake.\n#include <string_view>\n\n")
  string(APPEND code "namespace ${namespace} {\n")
  foreach(entry ${ARGN})
    string(REGEX MATCH "^([A-Za-z_0-9]+)=(.+)$" matched ${entry})
    set(name ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    string(APPEND code
      "extern const std::string_view ${name};\nconst std::string_view ${name} = R\"__data__(${text})__data__\";\n")
  endforeach()
  string(APPEND code "}  // namespace ${namespace}\n")
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${target}_data.cpp)
  # Written only when it differs, so that an unrelated configure rebuilds nothing.
  file(GENERATE OUTPUT ${generated} CONTENT "${code}")
  # The standard demands 65536 characters of a literal, compilers take more.
  set_source_files_properties(${generated} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
  target_sources(${target} PRIVATE ${generated})
endfunction()
