#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# refusals_test.sh WHAT MPIEXEC PROGRAM OTHER_BUILD: what becomes of a pool whose machines do not fit together.
set -u
here=$(cd "$(dirname "$0")" && pwd)
what=$1
program=$3
other=$4
run="sh $here/run.sh $2"
status=0
said=
case $what in
build)  # the second rank runs another build: the pool goes on without it
    said=$($run 1 "$program" : -n 1 "$other" 2>&1) || status=$?
    set -- "log: machine .* takes no part: it runs another build of the program" "size 1" "answer 42"
    ;;
same_machine)
    said=$($run 2 "$program" 2>&1) || status=$?
    set -- "log: ranks 0 and 1 are both on machine .* each with its own 1 workers" "size 2" "answer 42"
    ;;
pinned)
    [ "$(nproc)" -gt 1 ] || exit 77
    said=$(RUN_OPTIONS="--bind-to core" $run 2 "$program" 2>&1) || status=$?
    set -- "log: rank 0 on machine .* may use 1 of .* processors" "log: rank 1 on machine .* may use 1 of .* processors" "size 2"
    ;;
launcher)  # of another MPI: each rank would be alone
    for launcher in mpiexec.mpich mpiexec.hydra; do
        command -v $launcher >/dev/null && break
        launcher=
    done
    [ -n "$launcher" ] || exit 77
    said=$(timeout 30 sh "$here/run.sh" $launcher 2 "$program" 2>&1) || status=$?
    [ $status -ne 124 ] || echo "FAILED: it hangs"
    [ $status -eq 0 ] || status=0
    set -- "refused: procpool: this pool has no other machines: the launcher has started 2 processes, but MPI knows of 1"
    case $said in
    *"size "* | *"answer "*)
        echo "FAILED: a rank has a pool of its own: $said"
        exit 1
        ;;
    esac
    ;;
esac
failures=0
[ $status -eq 0 ] || failures=1
for text in "$@"; do
    printf '%s\n' "$said" | grep -q "$text" || {
        echo "FAILED: it should say '$text'"
        failures=1
    }
done
[ $failures -eq 0 ] || printf 'status %s, and it said:\n%s\n' "$status" "$said"
exit $failures
