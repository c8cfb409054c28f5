# SPDX-License-Identifier: BSL-1.0
# cmake -DCOMPILER=… -DINCLUDES=… -DFOLDER=<for a source> -P requirements.cmake
# Compiles the library in ways that it does not support. Each gives one #error, which names the requirement, and no other error than the
# one that ends the compilation there.
cmake_minimum_required(VERSION 3.24)

list(TRANSFORM INCLUDES PREPEND -I)
file(WRITE ${FOLDER}/source.cpp "#include <procpool/procpool.hpp>\n")
foreach(case "-std=c++17=needs C..20" "-fno-rtti=needs RTTI" "-fno-exceptions=needs exceptions" "-U__linux__=needs Linux" "-U__LP64__=needs 64 bits")
    string(REGEX MATCH "^(.*)=(needs .*)$" case "${case}")
    set(option ${CMAKE_MATCH_1})
    set(need ${CMAKE_MATCH_2})
    execute_process(COMMAND ${COMPILER} -std=c++20 ${option} -fsyntax-only ${INCLUDES} ${FOLDER}/source.cpp
        RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(REPLACE ";" "," output "${output}")
    string(REGEX MATCHALL "error: [^\n]*" errors "${output}")
    list(FILTER errors EXCLUDE REGEX "procpool_stops_here")
    list(LENGTH errors count)
    if(NOT failed OR NOT count EQUAL 1 OR NOT errors MATCHES "procpool: ${need}")
        message(FATAL_ERROR "${option}: expected one error, 'procpool: ${need}', got:\n${output}")
    endif()
endforeach()
