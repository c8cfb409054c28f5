# SPDX-License-Identifier: BSL-1.0
# Configures, builds and runs one consumer, in both modes, in a fresh folder; find_package gets an installed procpool.
cmake_minimum_required(VERSION 3.24)

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
    message("${output}")
    if(failed)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "'${command}' failed: ${failed}")
    endif()
endfunction()

file(REMOVE_RECURSE ${FOLDER})
set(arguments -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_BUILD_TYPE=
    -DPROCPOOL_SOURCE=${PROCPOOL_SOURCE} -DPROCPOOL_VERSION=${PROCPOOL_VERSION})
if(CONSUMER STREQUAL find_package)
    run(${CMAKE_COMMAND} --install ${PROCPOOL_BUILD} --prefix ${FOLDER}/prefix)
    list(APPEND arguments -DCMAKE_PREFIX_PATH=${FOLDER}/prefix)
endif()
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/${CONSUMER} -B ${FOLDER}/build ${arguments} --no-warn-unused-cli)
run(${CMAKE_COMMAND} --build ${FOLDER}/build)
run(${WATCH} 60 ${FOLDER}/build/header_only)
run(${WATCH} 60 ${FOLDER}/build/compiled)
file(REMOVE_RECURSE ${FOLDER})
