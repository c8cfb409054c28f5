# SPDX-License-Identifier: BSL-1.0
# cmake -DCOMMAND=a;b;c -DSTATUS=regex -DOUTPUT=regex -P expect.cmake
cmake_minimum_required(VERSION 3.24)

execute_process(COMMAND ${COMMAND} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
message("${output}")
if(NOT status MATCHES "^(${STATUS})$")
    message(FATAL_ERROR "exit status ${status}, expected ${STATUS}")
endif()
if(NOT output MATCHES "${OUTPUT}")
    message(FATAL_ERROR "the output does not match ${OUTPUT}")
endif()
