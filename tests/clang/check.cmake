# SPDX-License-Identifier: BSL-1.0
# Compiles one program and runs it.
cmake_minimum_required(VERSION 3.24)

list(TRANSFORM INCLUDES PREPEND -I)
execute_process(COMMAND ${COMPILER} -std=c++20 -O${LEVEL} -w ${INCLUDES} ${SOURCE} -o ${PROGRAM} -pthread
    RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(failed)
    message(FATAL_ERROR "does not compile:\n${output}")
endif()
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(failed)
    message(FATAL_ERROR "ended with ${failed}:\n${output}")
endif()
