# SPDX-License-Identifier: BSL-1.0
# cmake -DPROGRAM=<program> -DNOTES=<its object file> -DGCOV=<gcov> -P check.cmake
# Runs the program; its only_in_tasks(), which workers alone have called, must have been counted three times.

string(REGEX REPLACE "\\.o$" ".gcda" counts "${NOTES}")
file(REMOVE "${counts}")
execute_process(COMMAND "${PROGRAM}" RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "the program failed: ${failed}")
endif()
execute_process(COMMAND "${GCOV}" --stdout "${counts}" OUTPUT_VARIABLE report RESULT_VARIABLE failed)
string(REGEX MATCH "\n *([^:\n]*): *[0-9]+:int only_in_tasks[^\n]*" line "${report}")
if(failed OR NOT CMAKE_MATCH_1 STREQUAL "3")
    message(FATAL_ERROR "only_in_tasks() was counted '${CMAKE_MATCH_1}' times: ${line}")
endif()
