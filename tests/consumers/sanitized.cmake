# SPDX-License-Identifier: BSL-1.0
# A program under AddressSanitizer with a compiled library that knows nothing of it.
cmake_minimum_required(VERSION 3.24)

file(WRITE ${FOLDER}/empty.cpp "int main() {}\n")
set(program ${FOLDER}/sanitized)
execute_process(COMMAND ${COMPILER} -fsanitize=address ${FOLDER}/empty.cpp -o ${program}
    RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(failed)
    message("skipped: ${output}")
    return()
endif()
list(TRANSFORM INCLUDES PREPEND -I)
execute_process(COMMAND ${COMPILER} -std=c++20 -DPROCPOOL_COMPILED -fsanitize=address ${INCLUDES} ${SOURCE} ${LIBRARY}
    -lfmt -pthread -o ${program} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(failed)
    message(FATAL_ERROR "does not compile:\n${output}")
endif()
execute_process(COMMAND ${WATCH} 60 ${program} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
file(REMOVE_RECURSE ${FOLDER})
if(failed OR NOT output MATCHES "AddressSanitizer: heap-buffer-overflow" OR NOT output MATCHES "while it ran")
    message(FATAL_ERROR "ended with ${failed}:\n${output}")
endif()
