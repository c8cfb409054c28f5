# SPDX-License-Identifier: BSL-1.0
# cmake -DPYTHON=… -DROOT=… -DFOLDER=… -DCOMPILER=… -DWATCH=… -P single_header.cmake
# Makes the single header, and an example with it alone, which must print what it should.
cmake_minimum_required(VERSION 3.24)

if(NOT PYTHON)
    message("skipped: there is no Python")
    return()
endif()
file(REMOVE_RECURSE ${FOLDER})
execute_process(COMMAND ${PYTHON} ${ROOT}/cmake/single_header.py -o ${FOLDER}/procpool/procpool.hpp COMMAND_ERROR_IS_FATAL ANY)
file(STRINGS ${FOLDER}/procpool/procpool.hpp left REGEX "# *include *<procpool/")
if(left)
    message(FATAL_ERROR "the single header includes ${left}")
endif()
execute_process(COMMAND ${COMPILER} -std=c++20 -I${FOLDER} ${ROOT}/examples/010_hello.cpp -o ${FOLDER}/hello -lfmt -pthread
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${WATCH} 60 ${FOLDER}/hello OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
file(READ ${ROOT}/examples/expected/010_hello.txt expected)
if(NOT printed STREQUAL expected)
    message(FATAL_ERROR "printed:\n${printed}")
endif()
file(REMOVE_RECURSE ${FOLDER})
