#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# run_test.sh MPIEXEC: run.sh passes the status on, and fails when a file is left.
set -u
run="sh $(dirname "$0")/run.sh $1"
failures=0
file=/dev/shm/procpool_run_test.$$
trap 'rm -f $file' EXIT

# ends STATUS OUTPUT COMMAND...
ends() {
    status=$1
    output=$2
    shift 2
    said=$($run 2 "$@" 2>&1)
    if [ $? -ne "$status" ] || ! printf '%s\n' "$said" | grep -q "$output"; then
        failures=$((failures + 1))
        printf '%s\n' "FAILED: it should end with $status and say '$output', and said: $said"
    fi
}
ends 0 "" true
ends 7 "" sh -c 'exit 7'
RUN_OPTIONS=--enable-recovery
export RUN_OPTIONS
case $($1 --version) in *"Open MPI"* | *OpenRTE*)
    ends 7 "" sh -c 'exit 7'
    ends 0 "" sh -c 'exit $OMPI_COMM_WORLD_RANK'
    ends 1 "" sh -c 'kill -9 $PPID'
    ;;
esac
unset RUN_OPTIONS
ends 125 "left behind: $file" touch $file
rm -f $file
# shellcheck disable=SC2016
ends 125 "left behind: /tmp/mine" sh -c 'touch $TMPDIR/mine'
ends 0 "" sh -c 'touch /dev/shm/vader_segment.of_a_test && rm -f /dev/shm/vader_segment.of_a_test'
exit $failures
