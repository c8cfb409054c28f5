# SPDX-License-Identifier: BSL-1.0
# The target docs: HTML in docs/ of the build folder.
find_program(PROCPOOL_DOXYGEN doxygen)
find_path(PROCPOOL_DOXYGEN_STYLE doxygen-awesome.css PATH_SUFFIXES share/doxygen-awesome-css)
mark_as_advanced(PROCPOOL_DOXYGEN PROCPOOL_DOXYGEN_STYLE)
if(NOT PROCPOOL_DOXYGEN)
    message(STATUS "procpool: Doxygen is not installed, so there is no target docs")
    return()
endif()

set(docs_output ${PROJECT_BINARY_DIR}/docs)
set(docs_input ${PROJECT_SOURCE_DIR}/include)
file(GLOB docs_pages CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/*/*.md ${PROJECT_SOURCE_DIR}/tests/mpi/README.md ${PROJECT_SOURCE_DIR}/examples/procpool_top/README.md ${PROJECT_SOURCE_DIR}/include/procpool/README.md ${PROJECT_SOURCE_DIR}/.github/*.md)
list(JOIN docs_pages " " docs_pages)
string(APPEND docs_input " ${docs_pages}")
set(docs_style "")
if(PROCPOOL_DOXYGEN_STYLE)
    set(docs_style "${PROCPOOL_DOXYGEN_STYLE}/doxygen-awesome.css ${PROCPOOL_DOXYGEN_STYLE}/doxygen-awesome-sidebar-only.css")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/Doxyfile.in ${PROJECT_BINARY_DIR}/Doxyfile @ONLY)
# What the pages link to, where docs_filter.awk lets the links point: at its place below the root.
file(GLOB docs_programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.cpp)
add_custom_target(docs
    COMMAND ${PROCPOOL_DOXYGEN} ${PROJECT_BINARY_DIR}/Doxyfile
    COMMAND ${CMAKE_COMMAND} -E make_directory ${docs_output}/html/examples
    COMMAND ${CMAKE_COMMAND} -E make_directory ${docs_output}/html/examples/procpool_top
    COMMAND ${CMAKE_COMMAND} -E copy ${PROJECT_SOURCE_DIR}/examples/procpool_top/screenshot.png ${docs_output}/html/examples/procpool_top
    COMMAND ${CMAKE_COMMAND} -E copy ${docs_programs} ${docs_output}/html/examples
    COMMAND ${CMAKE_COMMAND} -E copy_directory ${PROJECT_SOURCE_DIR}/examples/expected ${docs_output}/html/examples/expected
    COMMAND ${CMAKE_COMMAND} -E copy_directory ${PROJECT_SOURCE_DIR}/benchmarks/plots ${docs_output}/html/benchmarks/plots
    COMMAND ${CMAKE_COMMAND} -E copy ${PROJECT_SOURCE_DIR}/LICENSE ${docs_output}/html
    VERBATIM)
