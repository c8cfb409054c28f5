# SPDX-License-Identifier: BSL-1.0
# cmake -DCOMPILER=… -DOPTIONS=… -DINCLUDES=… -DSOURCES=… -DPROGRAM=<its name begins so> -P check.cmake
# Compiles one program and runs it. A standard library that is not there is a reason to skip it.
cmake_minimum_required(VERSION 3.24)

string(MD5 name "${OPTIONS};${SOURCES}")
set(program ${PROGRAM}_${name})
list(TRANSFORM INCLUDES PREPEND -I)
if("-stdlib=libc++" IN_LIST OPTIONS)
    file(WRITE ${program}.cpp "#include <stop_token>\nint main() { return std::stop_token{}.stop_requested() ? 1 : 0; }\n")
    execute_process(COMMAND ${COMPILER} -std=c++20 ${OPTIONS} ${program}.cpp -o ${program} RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(failed)
        message("skipped: there is no libc++ 18 or later")
        return()
    endif()
endif()
set(library -lfmt)
if("-DFMT_HEADER_ONLY" IN_LIST OPTIONS)
    set(library "")
endif()
execute_process(COMMAND ${COMPILER} -std=c++20 -w ${OPTIONS} ${INCLUDES} ${SOURCES} -o ${program} ${library} -pthread
    RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(failed)
    message(FATAL_ERROR "does not compile:\n${output}")
endif()
execute_process(COMMAND ${program} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(failed)
    message(FATAL_ERROR "ended with ${failed}:\n${output}")
endif()
