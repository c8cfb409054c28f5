# SPDX-License-Identifier: BSL-1.0
# cmake -DINCLUDE=<folder that holds procpool/> -P check.cmake
# A folder is a layer: its headers include only what this table allows, each with one door to the outside.
cmake_minimum_required(VERSION 3.24)

set(core)
set(os core)
set(codec core os)
set(shm core os codec)
set(sync core os)
set(task core os shm sync)
set(worker core os shm sync codec task)
set(engine core os shm sync codec task worker)
set(pool core codec engine)
set(algorithm core os codec pool)
set(layers core os codec shm sync task worker engine pool algorithm)

# "what an #include of it looks like=the layers that may"
set(doors
    "boost/pfr=codec"
    "boost/stacktrace=worker"
    "boost/version\\.hpp=shm sync codec worker"
    "boost/=shm sync"
    "(sys|linux|asm)/|(unistd|signal|poll|fcntl|sched|spawn|syscall)\\.h=os"
    "csignal=os")
set(longest 480)

set(wrong "")
file(GLOB_RECURSE headers RELATIVE ${INCLUDE}/procpool ${INCLUDE}/procpool/*)
foreach(header IN LISTS headers)
    if(NOT header MATCHES "\\.hpp$")
        list(APPEND wrong "${header}: is no header (.hpp)")
        continue()
    endif()
    get_filename_component(layer ${header} DIRECTORY)
    if(layer STREQUAL "")
        set(allowed ${layers})  # procpool.hpp and its like
    elseif(layer IN_LIST layers)
        set(allowed ${layer} ${${layer}})
    else()
        list(APPEND wrong "${header}: '${layer}' is no layer")
        continue()
    endif()

    file(READ ${INCLUDE}/procpool/${header} text)
    if(NOT text MATCHES "^// SPDX-License-Identifier: BSL-1\\.0\n#pragma once\n")
        list(APPEND wrong "${header}: does not begin with its licence (SPDX) and #pragma once")
    endif()
    string(REGEX MATCHALL "\n" newlines "${text}")
    list(LENGTH newlines length)
    if(length GREATER longest)
        list(APPEND wrong "${header}: ${length} lines, more than ${longest}")
    endif()

    string(REGEX MATCHALL "\n[ \t]*#[ \t]*include[ \t]*[<\"][^>\"\n]*[>\"]" includes "${text}")
    foreach(line IN LISTS includes)
        string(REGEX REPLACE ".*[<\"](.*)[>\"]" "\\1" target "${line}")
        if(line MATCHES "\"")
            list(APPEND wrong "${header}: includes \"${target}\"; write <procpool/...>")
        elseif(target MATCHES "^procpool/([^/]+)/")
            if(NOT CMAKE_MATCH_1 IN_LIST allowed)
                list(APPEND wrong "${header}: ${layer}/ may not include <${target}>")
            endif()
        elseif(target MATCHES "^procpool/")
            list(APPEND wrong "${header}: includes <${target}>, which is for users")
        else()
            foreach(door IN LISTS doors)
                string(REGEX MATCH "^(.*)=(.*)$" door "${door}")
                string(REPLACE " " ";" may "${CMAKE_MATCH_2}")
                if(target MATCHES "^(${CMAKE_MATCH_1})")
                    if(NOT layer IN_LIST may)
                        list(APPEND wrong "${header}: <${target}> enters only through ${may}")
                    endif()
                    break()
                endif()
            endforeach()
        endif()
    endforeach()
endforeach()

if(NOT headers)
    list(APPEND wrong "no headers in ${INCLUDE}/procpool")
endif()
if(wrong)
    list(JOIN wrong "\n" wrong)
    message("${wrong}")
    message(FATAL_ERROR "the headers break the rules of the layers")
endif()
