# SPDX-License-Identifier: BSL-1.0
# debug(case command...): runs gdb's commands in the program; expect(text...): what it printed must match, in this order.

function(debug case)
    list(JOIN ARGN "\n" commands)
    file(WRITE ${FOLDER}/commands.gdb "set pagination off\nset width 0\nset confirm off\nset print thread-events off\n${commands}\n")
    execute_process(COMMAND ${GDB} -nx -batch -x ${FOLDER}/commands.gdb --args ${PROGRAM} ${case}
        OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 90)
    if(output MATCHES "[Pp]trace: Operation not permitted|Could not trace the inferior")
        message(FATAL_ERROR "skipped: gdb may not trace programs here")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect)
    set(rest "${output}")
    foreach(wanted IN LISTS ARGN)
        if(NOT rest MATCHES "${wanted}(.*)$")
            message(FATAL_ERROR "gdb did not print '${wanted}' (after what came before it) but\n${output}")
        endif()
        set(rest "${CMAKE_MATCH_${CMAKE_MATCH_COUNT}}")
    endforeach()
endfunction()
