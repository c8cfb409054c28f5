# SPDX-License-Identifier: BSL-1.0
# Compiles one source without making anything of it, and compares what happens with what its first line expects.
cmake_minimum_required(VERSION 3.24)

file(STRINGS ${SOURCE} first_line LIMIT_COUNT 1)
list(TRANSFORM INCLUDES PREPEND -I)
list(TRANSFORM DEFINITIONS PREPEND -D)
execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only -Wall -Wextra ${INCLUDES} ${DEFINITIONS} ${SOURCE}
    RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
string(REGEX REPLACE "[\n'\"]+|‘|’" " " flat "${output}")

if(first_line MATCHES "^// expect-success")
    if(failed)
        message(FATAL_ERROR "does not compile:\n${output}")
    endif()
elseif(first_line MATCHES "^// expect: *(.*[^ ]) *$")
    set(expected "${CMAKE_MATCH_1}")
    if(NOT failed)
        message(FATAL_ERROR "compiles, and must not")
    elseif(NOT output MATCHES "${expected}" AND NOT flat MATCHES "${expected}")
        message(FATAL_ERROR "does not print '${expected}' but:\n${output}")
    endif()
else()
    message(FATAL_ERROR "the first line is neither '// expect: REGEX' nor '// expect-success'")
endif()
