#!/bin/bash
# SPDX-License-Identifier: BSL-1.0
# bash demo_mpi.sh BUILD_FOLDER: one pool on three emulated hosts. Kills workers and takes a host's cable out while it works, compares the
# results, and says in a table what each event cost. Without the right to make hosts: two processes of MPI on this machine, whose workers are killed.
set -u
build=$(cd "${1:?the build folder}" && pwd) || exit 1
here=$(cd "$(dirname "$0")" && pwd) || exit 1
tools=$(cd "$here/../tests/mpi" && pwd) || exit 1
program=$build/examples/145_machines
mpiexec=$(command -v mpirun.openmpi || command -v mpirun)
[ -x "$program" ] || {
    echo "demo: $program has not been built; it needs Open MPI" >&2
    exit 1
}
cd "$build" || exit 1
hosts="bash $tools/hosts.sh"

# kill_workers MARK: kills the workers of all ranks but the first, of the job with that mark in its environment.
if [ "${2:-}" = kill_workers ]; then
    for process in /proc/[0-9]*; do
        case $(cat "$process/comm" 2>/dev/null) in procpool:*) ;; *) continue ;; esac
        grep -qzx "PROCPOOL_DEMO=$3" "$process/environ" 2>/dev/null || continue
        grep -qzx "OMPI_COMM_WORLD_RANK=0" "$process/environ" || kill -KILL "${process#/proc/}"
    done
    exit 0
fi

printf '\n== %s\n' "a parameter sweep on three emulated hosts, two workers on each"
RUN_OPTIONS=--enable-recovery $hosts with 3 sh "$tools/run.sh" "$mpiexec" node1,node2,node3 "$program" \
    "the workers of two hosts are killed" "$hosts kill node2 procpool:; $hosts kill node3 procpool:" \
    "the cable of one host is taken out" "$hosts cut node3" \
    "it is put in again" "$hosts mend node3"
status=$?
[ $status -eq 77 ] || exit $status

printf '\n== %s\n' "here can be no hosts: the sweep in two processes of MPI, with two workers for each"
PROCPOOL_DEMO=$$ RUN_OPTIONS="-x PROCPOOL_DEMO" sh "$tools/run.sh" "$mpiexec" 2 "$program" \
    "the workers of the second are killed" "bash $here/demo_mpi.sh $build kill_workers $$"
