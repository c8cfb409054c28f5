# SPDX-License-Identifier: BSL-1.0
# cmake -DPROGRAM=… -DEXPECTED=file -DWATCH=… -P compare_output.cmake: the program must end with 0, print exactly
# the text of the file, and nothing to stderr.
cmake_minimum_required(VERSION 3.24)

execute_process(COMMAND ${WATCH} 60 ${PROGRAM}
    RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE errors)
file(READ ${EXPECTED} expected)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "ended with ${status}\n--- stdout:\n${printed}\n--- stderr:\n${errors}")
endif()
if(NOT printed STREQUAL expected)
    message(FATAL_ERROR "--- printed:\n${printed}\n--- expected:\n${expected}")
endif()
if(NOT errors STREQUAL "")
    message(FATAL_ERROR "wrote to stderr:\n${errors}")
endif()
