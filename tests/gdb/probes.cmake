# SPDX-License-Identifier: BSL-1.0
cmake_minimum_required(VERSION 3.24)
include(${CMAKE_CURRENT_LIST_DIR}/debug.cmake)

foreach(program ${PROGRAM} ${WITHOUT})
    execute_process(COMMAND ${READELF} -n ${program} OUTPUT_VARIABLE notes COMMAND_ERROR_IS_FATAL ANY)
    foreach(probe submit start end death recycle)
        string(REGEX MATCH "Provider: procpool\n *Name: ${probe}\n[^\n]*\n *Arguments: ([^\n]+)\n" found "${notes}")
        set(arguments "${CMAKE_MATCH_1}")
        if(program STREQUAL WITHOUT)
            if(found)
                message(FATAL_ERROR "a program that wants no probes has ${probe}")
            endif()
        elseif(NOT arguments MATCHES "^8@[^ ]+ .*[48]@")
            message(FATAL_ERROR "there is no probe ${probe} with arguments in\n${notes}")
        endif()
    endforeach()
endforeach()

# The same loop runs tasks in threads.
debug(thread "break -probe-stap procpool:submit" "break -probe-stap procpool:start" "break -probe-stap procpool:end" run
    "printf \"submit %s %lu %u %u\\n\", (char*)$_probe_arg0, $_probe_arg1, $_probe_arg2, $_probe_argc" "set $slot = $_probe_arg2"
    "set $generation = $_probe_arg3" continue
    "printf \"start %s %u %d %d\\n\", (char*)$_probe_arg0, $_probe_arg1, $_probe_arg2 == $slot, $_probe_arg3 == $generation"
    "info symbol $_probe_arg4" continue
    "printf \"end %s %u %d %d ending %u\\n\", (char*)$_probe_arg0, $_probe_arg1, $_probe_arg2 == $slot, $_probe_arg3 == $generation, $_probe_arg4"
    continue continue continue
    "printf \"end of the second %s ending %u\\n\", (char*)$_probe_arg0, $_probe_arg4" continue continue continue
    "printf \"submit of a task %s %lu\\n\", (char*)$_probe_arg0, $_probe_arg1" "set $slot = $_probe_arg2" "set $generation = $_probe_arg3"
    continue "printf \"start of it %d %d\\n\", $_probe_arg2 == $slot, $_probe_arg3 == $generation")
expect("submit weavers 1 0 4\n" "start weavers 0 1 1\n" "call_code<" "end weavers 0 1 1 ending 0\n" "end of the second weavers ending 1\n"
    "submit of a task weavers [1-9][0-9]*\n" "start of it 1 1\n")

# The supervisor is the first child of the program.
debug(lose "break -probe-stap procpool:death" "break -probe-stap procpool:recycle" "set follow-fork-mode child" "catch fork" run
    continue "set follow-fork-mode parent" "delete 3" continue
    "printf \"death %s %u signal %d code %d\\n\", (char*)$_probe_arg0, $_probe_arg1, $_probe_arg3, $_probe_arg4"
    continue "printf \"recycle %s %u %u items\\n\", (char*)$_probe_arg0, $_probe_arg1, $_probe_arg3")
expect("death miners 0 signal 0 code 3\n" "recycle miners 0 1 items\n")
