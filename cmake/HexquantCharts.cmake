# The chart library of the HTML pages, Vega, as one script: HEXQUANT_CHART_LIBRARY is a file that
# holds its modules in the order in which they use one another, or nothing where the package is
# missing (libjs-vega), in which case pages show the numbers of a chart as a table.
#
# Each module is wrapped as a CommonJS one: see src/report/assets/vega_modules.js.
set(hexquant_vega_modules util expression event-selector time format loader canvas statistics
  dataflow scale scenegraph selections functions runtime interpreter view parser encode
  view-transforms transforms)

function(hexquant_chart_library output)
  set(wrapper ${PROJECT_SOURCE_DIR}/src/report/assets/vega_modules.js)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${wrapper})
  file(READ ${wrapper} script)
  foreach(module ${hexquant_vega_modules})
    # The package's file of "selections" lacks the s.
    string(REGEX REPLACE "s$" "" singular ${module})
    find_file(HEXQUANT_VEGA_${module} NAMES vega-${module}.min.js vega-${singular}.min.js
      PATHS /usr/share/javascript/vega NO_DEFAULT_PATH)
    mark_as_advanced(HEXQUANT_VEGA_${module})
    if(NOT HEXQUANT_VEGA_${module})
      message(STATUS "Charts: vega-${module}.min.js not found (package libjs-vega); "
        "pages show tables instead")
      file(WRITE ${output} "")
      return()
    endif()
    file(READ ${HEXQUANT_VEGA_${module}} text)
    string(REGEX REPLACE "//# sourceMappingURL=[^\n]*" "" text "${text}")
    string(APPEND script
      "vegaModule(\"vega-${module}\", function (exports, module, require) {\n${text}});\n")
  endforeach()
  message(STATUS "Charts: Vega from ${HEXQUANT_VEGA_util}")
  file(WRITE ${output} "${script}")
endfunction()

set(HEXQUANT_CHART_LIBRARY ${CMAKE_BINARY_DIR}/vega.js)
hexquant_chart_library(${HEXQUANT_CHART_LIBRARY})
