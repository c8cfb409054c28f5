# SPDX-License-Identifier: BSL-1.0
cmake_minimum_required(VERSION 3.24)
include(${CMAKE_CURRENT_LIST_DIR}/debug.cmake)

debug(look "source ${PRINTERS}" "break stop_here" run up "print pool" "print first" "print pending" "print unlabelled" "print empty"
    "procpool pool pool" "procpool board &pool" "python print('board of nothing')"
    "python\ntry: gdb.execute('procpool board')\nexcept gdb.error as e: print(e)\nend"
    "python\ntry: gdb.execute('procpool board started')\nexcept gdb.error as e: print(e)\nend"
    continue up "print first" "procpool board pool")
set(process "[(]process [0-9]+[)]")
expect("= pool 'painters', open, 2 of 2 workers, tasks: 2 pending, 2 started, 1 done\n"
    "= future of task 2 'red' of 'painters', started on worker [01] ${process}\n"
    "= future of task 4 'blue' of 'painters', pending\n"
    "= future of task 5 of 'painters', pending\n"
    "= no future\n"
    "pool 'painters', open, 2 of 2 workers, tasks: 2 pending, 2 started, 1 done\n"
    "pool 'painters', open, 2 of 2 workers"
    "  worker [01] ${process} runs task [23] '[a-z]+'; [01] completed, 0 failed on its seat\n"
    "  worker [01] ${process} runs task [23] '[a-z]+'; [01] completed, 0 failed on its seat\n"
    "  pending: task 4 'blue'\n"
    "  pending: task 5\n"
    "  started: task 2 'red' on worker [01] ${process}\n"
    "  started: task 3 'green' on worker [01] ${process}\n"
    "  done: task 1\n"
    "this process is no worker: say which pool"
    "that is no pool of procpool's"
    "= future of task 2, ended\n"
    "pool 'painters', closing, 0 of 2 workers")

# A worker knows its pool; what it shares is not in a core file.
debug(lose "source ${PRINTERS}" "set follow-fork-mode child" "break leave_here" run
    "procpool pool" "procpool board" "generate-core-file ${FOLDER}/core")
expect("pool 'miners', open, [12] of 1 workers, tasks: 1 started\n"
    "  worker 0 ${process} runs task 1;"
    "  started: task 1 on worker 0 ${process}\n")
execute_process(COMMAND ${GDB} -nx -batch -ex "source ${PRINTERS}" -ex "procpool board" ${PROGRAM} ${FOLDER}/core
    OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 60)
file(REMOVE ${FOLDER}/core)
expect("core files do not hold it")
