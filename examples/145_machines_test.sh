#!/bin/bash
# SPDX-License-Identifier: BSL-1.0
# bash 145_machines_test.sh PROGRAM MPIEXEC: on three emulated hosts, of which two lose their workers and one is cut off in the middle, it prints what it
# prints on this machine alone. Skipped (77) where there can be no emulated hosts.
set -u
program=$1
mpiexec=$2
tools=$(cd "$(dirname "$0")/../tests/mpi" && pwd) || exit 1
hosts="bash $tools/hosts.sh"
folder=$(mktemp -d -p "$PWD" machines.XXXXXX) || exit 1  # where the hosts see it
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP

alone=$("$program" 2>"$folder/errors") || {
    cat "$folder/errors"
    echo "FAILED: alone it ended with an error"
    exit 1
}
# mpirun does not end before the host that was cut off is back, and ends the job then, unless it is told that ranks may die.
RUN_OPTIONS=--enable-recovery $hosts with 3 sh "$tools/run.sh" "$mpiexec" node1,node2,node3 "$program" \
    "workers killed" "$hosts kill node2 procpool:; $hosts kill node3 procpool:" "cable cut" "$hosts cut node3" \
    "cable back" "$hosts mend node3" >"$folder/printed" 2>"$folder/table"
status=$?
[ $status -ne 77 ] || exit 77
failures=0
check() {  # check WHAT PATTERN
    grep -q "$2" "$folder/table" || {
        failures=$((failures + 1))
        echo "FAILED: $1"
    }
}
[ "$alone" = "$(cat "$folder/printed")" ] || {
    failures=1
    printf 'FAILED: it prints\n%s\ninstead of\n%s\n' "$(cat "$folder/printed")" "$alone"
}
[ $status -eq 0 ] || {
    failures=$((failures + 1))
    echo "FAILED: it ended with $status"
}
check "what killed workers cost" '^workers killed .*| *240 |'
check "what the cut cost" '^cable cut .*| *240 | *[1-9]'
check "node2 lives" '^node2: .* alive$'
check "node3 is lost" '^node3: .* lost$'
[ $failures -eq 0 ] || cat "$folder/table"
exit $failures
