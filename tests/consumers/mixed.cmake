# SPDX-License-Identifier: BSL-1.0
# cmake -DCOMPILER=… -DINCLUDES=… -DSOURCES=<folder> -DFOLDER=<folder> -P mixed.cmake
# main.cpp in one mode and other.cpp in the other do not link, in any order, and the linker's message names the reason.
cmake_minimum_required(VERSION 3.24)

list(TRANSFORM INCLUDES PREPEND -I)
file(MAKE_DIRECTORY ${FOLDER})
function(compile source object)
    execute_process(COMMAND ${COMPILER} -std=c++20 -O0 -w ${ARGN} ${INCLUDES} -c ${SOURCES}/${source}.cpp -o ${FOLDER}/${object}.o
        RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(failed)
        message(FATAL_ERROR "${source}.cpp does not compile:\n${output}")
    endif()
endfunction()
compile(main main)
compile(other other -DPROCPOOL_COMPILED)
foreach(objects "main.o;other.o" "other.o;main.o")
    execute_process(COMMAND ${COMPILER} ${objects} -o program -lfmt -pthread WORKING_DIRECTORY ${FOLDER}
        RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT failed OR NOT output MATCHES "this_program_mixes_header_only_and_compiled_sources")
        message(FATAL_ERROR "ended with ${failed}: ${output}")
    endif()
endforeach()
